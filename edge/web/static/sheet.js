// The station sheet keeps every field by itself. What was typed stays in this browser until the appliance has said that it is on disk:
// a reload, a service that was killed or a link that was lost takes nothing away.

import { isTyping } from "/static/keys.js";

const PREFIX = "sheet/";
const PAUSE_MS = 800;
const AGAIN_MS = 3000;

const form = document.getElementById("sheet");
const tow = Number(form?.dataset.tow);
const csrf = document.querySelector('meta[name="csrf-token"]')?.content;
const memory = new Map(); // where the browser keeps nothing
const timers = new Map();
const sending = new Set();
let inHand = null; // the field that the panel is about

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return memory.get(key) ?? {};
  }
}

function write(key, waiting) {
  memory.set(key, waiting);
  try {
    if (Object.keys(waiting).length) localStorage.setItem(key, JSON.stringify(waiting));
    else localStorage.removeItem(key);
  } catch {
    // The fields then wait in this page alone.
  }
}

function waitingTows() {
  const keys = [...memory.keys()];
  try {
    keys.push(...Object.keys(localStorage));
  } catch {
    // Only what this page holds.
  }
  return new Set(keys.filter((key) => key.startsWith(PREFIX) && Object.keys(read(key)).length).map((key) => Number(key.slice(PREFIX.length))));
}

/** Why the line may move under counts that stand; asked for by the appliance where it does. */
const reason = () => document.getElementById("change-reason")?.value.trim() ?? "";

const control = (field) => form.querySelector(`[data-field="${CSS.escape(field)}"]`);

function say(words, lost = false) {
  const place = document.getElementById("keeping");
  if (!place) return;
  place.classList.toggle("lost-link", lost);
  document.getElementById("keeping-words").textContent = words;
}

function ask(method, path, body) {
  const headers = { accept: "application/json", "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  return fetch(path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(20_000) });
}

function keep(element) {
  const waiting = read(PREFIX + tow);
  const before = waiting[element.dataset.field];
  waiting[element.dataset.field] = { value: element.value, based_on: before?.based_on ?? Number(element.dataset.entry) };
  write(PREFIX + tow, waiting);
  element.dataset.state = "waiting";
  send(tow);
}

async function send(id) {
  if (sending.has(id)) return;
  const key = PREFIX + id;
  const changes = Object.entries(read(key)).map(([field, { value, based_on }]) => ({ field, value, based_on }));
  if (!changes.length) return;
  sending.add(id);
  let again = false;
  try {
    const answer = await ask("POST", `/api/tows/${id}/sheet`, { changes, reason: id === tow ? reason() : "" });
    if (answer.ok) {
      const state = await answer.json();
      forget(key, changes);
      if (id === tow) showState(state);
      again = Object.keys(read(key)).length > 0; // typed meanwhile
    } else {
      const problem = await answer.json().catch(() => ({ message: `the appliance answered ${answer.status}`, advice: "" }));
      say(`NOT KEPT YET, ${changes.length} in this browser: ${problem.message.replace(/\.$/, "")}. ${problem.advice}`, true);
      if (problem.code === "reason_needed" && id === tow) document.getElementById("counted").hidden = false;
      if (answer.status >= 500) setTimeout(() => send(id), AGAIN_MS);
    }
  } catch {
    say(`NO LINK: ${changes.length} ${changes.length === 1 ? "field is" : "fields are"} kept in this browser and sent as soon as it is back.`, true);
    setTimeout(() => send(id), AGAIN_MS);
  } finally {
    sending.delete(id);
  }
  if (again) send(id);
}

/** What the appliance has on disk need not wait any more, unless something else was typed since. */
function forget(key, changes) {
  const waiting = read(key);
  for (const { field, value } of changes) if (waiting[field]?.value === value) delete waiting[field];
  write(key, waiting);
}

function showState(state) {
  const waiting = read(PREFIX + tow);
  for (const one of state.recorded) {
    const element = control(one.field);
    if (!element || waiting[one.field]) continue;
    if (one.entry_id) element.dataset.entry = one.entry_id;
    element.dataset.state = "kept";
  }
  showFaults((field) => state.faults[field]);
  for (const one of state.recorded.filter((each) => each.meanwhile)) {
    const note = document.querySelector(`[data-note="${CSS.escape(one.field)}"]`);
    note?.append(` ${one.meanwhile.entered_by} had typed "${one.meanwhile.value}" here meanwhile; it is in the history.`);
  }
  const left = Object.keys(waiting).length;
  say(left ? `${left} on their way` : `Kept at ${new Date().toISOString().slice(11, 19)}Z`);
  if (inHand) showHistory(inHand);
}

function showFaults(faultOf) {
  for (const element of form.querySelectorAll("[data-field]")) {
    const fault = faultOf(element.dataset.field);
    element.toggleAttribute("aria-invalid", false);
    if (fault?.message) element.setAttribute("aria-invalid", "true");
    const note = document.querySelector(`[data-note="${CSS.escape(element.dataset.field)}"]`);
    if (!note) continue;
    note.replaceChildren();
    if (!fault?.message) continue;
    const words = document.createElement("span");
    words.className = "fault";
    words.textContent = fault.message;
    note.append(words, ` ${fault.effect}`);
  }
}

/** Another laptop has typed something, or a sheet was imported: fields that nobody has in hand here follow. */
function follow() {
  const now = document.getElementById("sheet-now");
  const waiting = read(PREFIX + tow);
  for (const one of now.children) {
    const element = control(one.dataset.field);
    if (!element || waiting[one.dataset.field] || timers.has(element) || element === document.activeElement) continue;
    if (Number(one.dataset.entry) < Number(element.dataset.entry)) continue; // looked at before what was typed here was on disk
    if (element.dataset.entry !== one.dataset.entry) delete element.dataset.state;
    element.dataset.entry = one.dataset.entry;
    if (element.value !== one.dataset.value.replaceAll("\r\n", "\n")) element.value = one.dataset.value;
  }
  const faults = Object.fromEntries([...now.children].map((one) => [one.dataset.field, { message: one.dataset.fault, effect: one.dataset.effect }]));
  if (!Object.keys(waiting).length) showFaults((field) => faults[field]);
}

async function showHistory(element) {
  const field = element.dataset.field;
  document.getElementById("field").hidden = false;
  document.getElementById("field-title").textContent = element.dataset.label;
  document.getElementById("field-table").textContent = element.dataset.table || "not in it";
  document.getElementById("field-effect").textContent = element.dataset.effect;
  const list = document.getElementById("field-history");
  let entries = [];
  try {
    const answer = await ask("GET", `/api/tows/${tow}/sheet/history?field=${encodeURIComponent(field)}`);
    if (answer.ok) entries = await answer.json();
  } catch {
    return; // the link is told of elsewhere
  }
  if (inHand !== element) return;
  list.replaceChildren(...entries.map((entry, at) => historyLine(element, entry, at)));
  document.getElementById("field-undo").disabled = !entries.length || Boolean(form.dataset.readonly);
}

function historyLine(element, entry, at) {
  const line = document.createElement("li");
  const said = document.createElement("div");
  const text = document.createElement("div");
  text.className = "said";
  text.textContent = entry.value || "(empty)";
  const who = document.createElement("div");
  who.className = "sub";
  who.textContent = `${entry.entered_utc.slice(0, 19).replace("T", " ")}Z ${entry.entered_by}, ${entry.source}`;
  said.append(text, who);
  line.append(said);
  if (at > 0 && !form.dataset.readonly) {
    const back = document.createElement("button");
    back.type = "button";
    back.textContent = "Put back";
    back.addEventListener("click", () => {
      element.value = entry.value;
      keep(element);
    });
    line.append(back);
  }
  return line;
}

async function undo(element) {
  if (!element || form.dataset.readonly) return;
  flush(element);
  const answer = await ask("POST", `/api/tows/${tow}/sheet/undo`, { field: element.dataset.field, reason: reason() }).catch(() => null);
  if (!answer) return say("NO LINK: nothing was undone.", true);
  const state = await answer.json();
  if (!answer.ok) return say(`${state.message}. ${state.advice}`);
  element.value = state.recorded[0].value;
  showState(state);
}

function flush(element) {
  if (!timers.has(element)) return;
  clearTimeout(timers.get(element));
  timers.delete(element);
  keep(element);
}

function listen() {
  form.addEventListener("input", (event) => {
    const element = event.target.closest("[data-field]");
    if (!element) return;
    clearTimeout(timers.get(element));
    timers.set(element, setTimeout(() => flush(element), PAUSE_MS));
  });
  form.addEventListener("change", (event) => event.target.closest("[data-field]") && flush(event.target));
  form.addEventListener("focusin", (event) => {
    const element = event.target.closest("[data-field]");
    if (!element || element === inHand) return;
    inHand = element;
    showHistory(element);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("change-reason")?.addEventListener("change", () => send(tow));
  document.getElementById("field-undo").addEventListener("click", () => undo(inHand));
  document.addEventListener("keydown", (event) => {
    const inField = form.contains(document.activeElement) && document.activeElement.matches("[data-field]");
    if (event.altKey && event.key === "z" && inField) {
      event.preventDefault();
      undo(document.activeElement);
    } else if (event.key === "Escape" && inField) {
      event.preventDefault();
      document.activeElement.blur();
    } else if (event.key === "e" && !isTyping(event)) {
      event.preventDefault();
      form.querySelector("[data-field]").focus();
    }
  });
  for (const leave of ["pagehide", "visibilitychange"]) addEventListener(leave, () => [...timers.keys()].forEach(flush));
  new MutationObserver((changes) => {
    if (changes.some((change) => [...change.addedNodes].some((node) => node.id === "sheet-now"))) follow();
  }).observe(document.getElementById("main"), { childList: true });
}

function begin() {
  if (form.dataset.readonly) {
    for (const element of form.querySelectorAll("[data-field]")) element.readOnly = true;
    return;
  }
  for (const [field, { value }] of Object.entries(read(PREFIX + tow))) {
    const element = control(field);
    if (!element) continue;
    element.value = value;
    element.dataset.state = "waiting";
  }
  for (const id of waitingTows()) send(id);
}

if (form) {
  listen();
  begin();
}
