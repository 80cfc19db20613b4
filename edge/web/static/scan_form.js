// The sample and scan form keeps every field by itself. What was typed stays in this browser until the appliance has said that it is on disk.
import { writeHeaders } from "./csrf.js";
import { isTyping } from "./keys.js";

const PREFIX = "scan-form/";
const AGAIN_MS = 3000;

const form = document.getElementById("scan-form");
const scan = form.dataset.scan;
const key = PREFIX + scan;
let memory = {}; // where the browser keeps nothing
let isSending = false;

function waiting() {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return memory;
  }
}

function keep(values) {
  memory = values;
  try {
    if (Object.keys(values).length) localStorage.setItem(key, JSON.stringify(values));
    else localStorage.removeItem(key);
  } catch {
    // The fields then wait in this page alone.
  }
}

const rowOf = (field) => form.querySelector(`[data-row="${CSS.escape(field)}"]`);
const controlOf = (field) => form.querySelector(`[data-field="${CSS.escape(field)}"]`);

function say(words, lost = false) {
  document.getElementById("keeping").classList.toggle("lost-link", lost);
  document.getElementById("keeping-words").textContent = words;
}

function type(field, value) {
  keep({ ...waiting(), [field]: value });
  rowOf(field).dataset.state = "waiting";
  send();
}

async function send() {
  const values = waiting();
  if (isSending || !Object.keys(values).length) return;
  isSending = true;
  let again = false;
  try {
    const headers = writeHeaders({ "content-type": "application/json" });
    const answer = await fetch(`/api/scans/${scan}/form`, { method: "POST", headers, body: JSON.stringify({ values }), signal: AbortSignal.timeout(20_000) });
    const content = await answer.json().catch(() => ({ message: `the appliance answered ${answer.status}`, advice: "" }));
    if (answer.ok) {
      const left = waiting();
      for (const [field, value] of Object.entries(values)) if (left[field] === value) delete left[field];
      keep(left);
      for (const field of Object.keys(values)) if (!(field in left)) rowOf(field)?.setAttribute("data-state", "kept");
      show(content);
      again = Object.keys(left).length > 0; // typed meanwhile
      say(again ? "On its way." : `Kept at ${new Date().toISOString().slice(11, 19)}Z`);
    } else {
      say(`NOT KEPT YET, ${Object.keys(values).length} in this browser: ${content.message.replace(/\.$/, "")}. ${content.advice ?? ""}`, true);
      if (answer.status >= 500) setTimeout(send, AGAIN_MS);
    }
  } catch {
    say(`NO LINK: ${Object.keys(values).length} typed here and kept in this browser; sent as soon as it is back.`, true);
    setTimeout(send, AGAIN_MS);
  } finally {
    isSending = false;
  }
  if (again) send();
}

/** What the appliance has on disk, but for what was typed here since. */
function show(answer) {
  const left = waiting();
  for (const field of answer.fields) {
    const row = rowOf(field.field);
    if (!row) continue;
    const control = controlOf(field.field);
    if (!(field.field in left) && control !== document.activeElement) control.value = field.typed ?? "";
    control.dataset.typed = field.typed ?? "";
    row.querySelector(".own").classList.toggle("stands", field.typed === null);
    const back = row.querySelector("[data-back]");
    if (back) back.hidden = field.typed === null;
    const note = row.querySelector(".note");
    note.replaceChildren();
    if (field.problem) note.append(strong(field.problem, "fault"), " ");
    if (field.typed !== null && field.not_known) note.append(strong("not known"), " ");
    if (field.typed_by) note.append(`${field.typed_by}, ${field.typed_utc.slice(0, 19).replace("T", " ")}Z${field.typed === null ? ": back to the META's own" : ""}`);
  }
}

function strong(words, className = "strong") {
  const found = document.createElement("b");
  found.className = className;
  found.textContent = words;
  return found;
}

if (!form.dataset.readonly) {
  form.addEventListener("change", (event) => {
    const control = event.target.closest("[data-field]");
    if (control) type(control.dataset.field, control.value.trim() === "" ? null : control.value);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", (event) => {
    const back = event.target.closest("[data-back]");
    if (!back) return;
    controlOf(back.dataset.back).value = "";
    type(back.dataset.back, null);
  });
  const left = waiting(); // of before this page was loaded
  for (const [field, value] of Object.entries(left)) {
    const control = controlOf(field);
    if (control) control.value = value ?? "";
    rowOf(field)?.setAttribute("data-state", "waiting");
  }
  send();
  addEventListener("online", send);
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && form.contains(document.activeElement)) document.activeElement.blur();
  if (event.key === "e" && !isTyping(event)) {
    form.querySelector("[data-field]").focus();
    event.preventDefault();
  }
});
