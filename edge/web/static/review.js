// The review of a tow: the order is fetched once and never reshuffles; what is decided stays where it is until another order is asked for.
import { writeHeaders } from "./csrf.js";
import { Focus } from "./review_focus.js";
import { Grid, PER_PAGE, ACROSS } from "./review_grid.js";
import { isTyping } from "./keys.js";

const root = document.getElementById("review");
const tow = root.dataset.tow;
const may = root.dataset.may === "1";
const chips = document.getElementById("chips");
const rows = new Map();
const selected = new Set();
let order = [];
let here = 0;
let anchor = null;
let sort = "uncertain";
let among = "counted"; // what never crossed the line counts for nothing: it is looked at when asked for
let writes = Promise.resolve();
let asked = 0;
let fetchedBehind = -1;

const grid = new Grid(chips);
const focus = new Focus();

const page = () => Math.floor(here / PER_PAGE);
const shownIds = (of = page()) => order.slice(of * PER_PAGE, (of + 1) * PER_PAGE);
const targets = () => (selected.size ? order.filter((id) => selected.has(id)) : order.length ? [order[here]] : []);

async function call(address, body) {
  const options = body === undefined ? {} : { method: "POST", headers: writeHeaders({ "content-type": "application/json" }), body: JSON.stringify(body) };
  const answer = await fetch(address, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(`${content.message} ${content.advice ?? ""}`);
  return content;
}

function tell(words) {
  const line = document.getElementById("trouble");
  line.textContent = words;
  line.hidden = !words;
}

function showTally(tally) {
  const put = (id, value) => (document.getElementById(id).textContent = value.toLocaleString("en").replaceAll(",", "\u202f"));
  const part = tally.among[among];
  put("left", part.undecided);
  put("of", part.openings);
  for (const name of ["accepted", "rejected", "unsure"]) put(name, part[name]);
  for (const option of document.getElementById("among").options) option.textContent = `${option.dataset.words} (${tally.among[option.value].openings})`;
  put("counted-openings", tally.counted.openings);
  put("counted-systems", tally.counted.systems);
}

async function load(ids) {
  const missing = ids.filter((id) => !rows.has(id));
  if (!missing.length) return;
  const found = await call(`/api/tows/${tow}/openings?ids=${missing.join(",")}`);
  for (const one of found.openings) if (!rows.has(one.id)) rows.set(one.id, one);
}

async function show() {
  const turn = ++asked;
  const at = page();
  await load(shownIds(at));
  if (turn !== asked) return;
  grid.draw(shownIds(at).map((id) => rows.get(id)).filter(Boolean), { here: order[here], selected });
  const pages = Math.ceil(order.length / PER_PAGE);
  document.getElementById("where").textContent = order.length ? `page ${at + 1} of ${pages}${selected.size ? ` · ${selected.size} selected` : ""}` : "none to show";
  if (focus.isOpen) focus.show(rows.get(order[here]));
  await load(shownIds(at + 1));
  if (turn === asked && at !== fetchedBehind) grid.fetchAhead(shownIds(at + 1));
  fetchedBehind = at;
}

const draw = () => show().catch((error) => tell(error.message));

async function askOrder() {
  const wanted = document.getElementById("show").value;
  const answer = await call(`/api/tows/${tow}/openings/order?sort=${sort}&show=${wanted}&among=${among}`);
  order = answer.order;
  rows.clear();
  fetchedBehind = -1;
  selected.clear();
  here = 0;
  anchor = null;
  showTally(answer.tally);
  await show();
}

const reorder = () => askOrder().catch((error) => tell(error.message));

function moveTo(to, withShift = false) {
  if (!order.length) return;
  const from = here;
  here = Math.min(Math.max(to, 0), order.length - 1);
  if (withShift) {
    anchor ??= from;
    selected.clear();
    for (const id of order.slice(Math.min(anchor, here), Math.max(anchor, here) + 1)) selected.add(id);
  } else {
    anchor = null;
  }
  draw();
}

function toggle(id) {
  if (!selected.delete(id)) selected.add(id);
  anchor = order.indexOf(id);
}

// One write after the other, in the order of the keys; what is shown runs ahead and is put right by each answer.
function write(address, body, ids) {
  writes = writes
    .then(() => call(address, body))
    .then((answer) => {
      for (const one of answer.openings) rows.set(one.id, one);
      showTally(answer.tally);
      tell("");
      draw();
      return answer;
    })
    .catch(async (error) => {
      for (const id of ids) rows.delete(id);
      await draw();
      tell(`Not kept: ${error.message}`);
    });
  return writes;
}

function decide(decision, ids = targets()) {
  if (!may || !ids.length) return;
  for (const id of ids) if (rows.has(id)) rows.set(id, { ...rows.get(id), decision: decision === "cleared" ? null : decision });
  const single = !selected.size && ids.length === 1;
  selected.clear();
  write(`/api/tows/${tow}/decisions`, { openings: ids, decision }, ids);
  if (single && !focus.isOpen) moveTo(here + 1);
  else draw();
}

function acceptPage() {
  const ids = shownIds().filter((id) => rows.get(id) && !rows.get(id).decision);
  if (!may) return;
  selected.clear();
  if (ids.length) decide("accepted", ids);
  moveTo((page() + 1) * PER_PAGE);
}

function group(split) {
  const ids = targets();
  if (!may || !ids.length) return;
  if (!split && ids.length < 2) return tell("A group is made of two openings or more: select them with Shift and an arrow, Shift and a click, or x.");
  selected.clear();
  write(`/api/tows/${tow}/groups`, { openings: ids, split }, ids);
}

/** What of earlier reviews still waits, after some of it was taken over or given back. */
async function tellEarlier() {
  if (!document.getElementById("earlier")) return;
  const told = await call(`/api/tows/${tow}/review/earlier`).catch(() => null);
  if (!told) return;
  document.getElementById("waiting").textContent = told.waiting;
  document.getElementById("waiting-groups").textContent = told.groups;
}

function carry(ids) {
  if (!may || (ids && !ids.length)) return;
  selected.clear();
  write(`/api/tows/${tow}/review/carry`, { openings: ids }, ids ?? []).then((answer) => {
    tellEarlier();
    if (answer && ids?.length === 1 && !focus.isOpen) moveTo(here + 1);
  });
}

function undo() {
  if (!may) return;
  write(`/api/tows/${tow}/review/undo`, {}, []).then((answer) => {
    tellEarlier();
    const at = answer?.openings.length ? order.indexOf(answer.openings[0].id) : -1;
    if (at >= 0) moveTo(at);
  });
}

const DO = {
  accepted: () => decide("accepted"),
  rejected: () => decide("rejected"),
  unsure: () => decide("unsure"),
  cleared: () => decide("cleared"),
  group: () => group(false),
  split: () => group(true),
  undo,
  carry: () => carry(targets()),
  carry_all: () => carry(null),
  play: () => document.getElementById("play").setAttribute("aria-pressed", String(grid.toggle())),
};
const KEYS = { a: DO.accepted, r: DO.rejected, u: DO.unsure, c: DO.cleared, g: DO.group, s: DO.split, t: DO.carry, z: DO.undo, " ": DO.play };
const SORTS = { 1: "uncertain", 2: "outlier", 3: "along" };
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ACROSS, ArrowDown: ACROSS, PageUp: -PER_PAGE, PageDown: PER_PAGE, Home: -Infinity, End: Infinity };

function pressInFocus(event) {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") focus.step(event.key === "ArrowRight" ? 1 : -1);
  else if (event.key === "ArrowUp" || event.key === "ArrowDown") moveTo(here + (event.key === "ArrowDown" ? 1 : -1));
  else if (event.key === "Enter" || event.key === "Escape") focus.close();
  else if (["a", "r", "u", "c", "t", "z"].includes(event.key)) KEYS[event.key]();
  else return false;
  return true;
}

function chooseSort(name) {
  sort = name;
  for (const button of document.querySelectorAll("[data-sort]")) button.setAttribute("aria-pressed", String(button.dataset.sort === sort));
  reorder();
}

function press(event) {
  const onButton = event.target.matches("button, a, summary") && [" ", "Enter"].includes(event.key) && !event.shiftKey;
  if (isTyping(event) || onButton) return;
  if (focus.isOpen) {
    if (pressInFocus(event)) event.preventDefault();
    return;
  }
  if (event.key === "Enter") {
    if (event.shiftKey) acceptPage();
    else if (order.length) focus.open(rows.get(order[here]));
  } else if (event.key === "x") {
    toggle(order[here]);
    draw();
  } else if (event.key === "Escape" && selected.size) {
    selected.clear();
    draw();
  } else if (event.key in STEPS) {
    moveTo(here + STEPS[event.key], event.shiftKey);
  } else if (event.key in SORTS) {
    chooseSort(SORTS[event.key]);
  } else if (event.key === "T") {
    DO.carry_all();
  } else if (event.key in KEYS) {
    KEYS[event.key]();
  } else {
    return;
  }
  event.preventDefault();
}

document.addEventListener("keydown", press, { capture: true });
chips.addEventListener("click", (event) => {
  const chip = event.target.closest(".chip");
  if (!chip) return;
  const at = order.indexOf(Number(chip.dataset.id));
  if (event.ctrlKey || event.metaKey) toggle(order[at]);
  else if (!event.shiftKey) selected.clear();
  moveTo(at, event.shiftKey);
});
chips.addEventListener("dblclick", () => order.length && focus.open(rows.get(order[here])));
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => {
    DO[button.dataset.do]();
    chips.focus();
  });
}
for (const button of document.querySelectorAll("[data-sort]")) button.addEventListener("click", () => chooseSort(button.dataset.sort));
for (const name of ["show", "among"]) {
  document.getElementById(name).addEventListener("change", (event) => {
    if (name === "among") among = event.target.value;
    event.target.blur();
    reorder();
  });
}
document.getElementById("play").setAttribute("aria-pressed", String(grid.isPlaying));
reorder();
