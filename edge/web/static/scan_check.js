// The check of a scan: its montage, its picture, what a person says of its objects, and the signature. The order never reshuffles by itself.
import { writeHeaders } from "./csrf.js";
import { isTyping } from "./keys.js";
import { Cutting } from "./scan_cut.js";
import { ACROSS, Montage, PER_PAGE, SCALES, scoreOf, standsAs, verdictOf } from "./scan_grid.js";
import { ScanMap, unpackOutlines } from "./scan_map.js";
import { countsOf, orderOf } from "./scan_order.js";
import { ActQueue, newUuid } from "./scan_queue.js";
import { Says } from "./scan_says.js";
import { findingLines, Signing } from "./scan_sign.js";

const root = document.getElementById("scan-check");
const scan = root.dataset.scan;
const cells = document.getElementById("cells");
const el = (id) => document.getElementById(id);
const rows = new Map();
const selected = new Set();
const wanted = { sort: "score", among: "all", label: "", score: { from: null, to: null }, area_mm2: { from: null, to: null } };
let facts = null; // of the run: pixel_mm, threshold, revision, may
let order = [];
let here = 0;
let anchor = null;
let acts = []; // the uuids of the actions that each act of this page was, for undo
let looking = null; // the timer of the checks of quality
let montage = null;
let map = null;
let cutting = null;
let signing = null;
const says = new Says(el("trouble"));
const told = () => (cutting?.isOpen ? cutting.says : says); // a dialog hides what is behind it
const queue = new ActQueue({
  scan,
  who: root.dataset.who,
  call,
  ontaken: (answer) => {
    take(answer);
    for (const one of [says, cutting?.says]) one?.well();
    lookAgain();
  },
  onrefused: async (error, act) => {
    acts = acts.map((one) => one.filter((uuid) => uuid !== act.body.uuid)).filter((one) => one.length);
    await reload().catch(() => null);
    if (error.code === "somebody_elses_act") told().offer(error.message, "Take it back all the same", () => undo({ anyone: true }));
    else if (act.path === "undo" && error.status === 409) told().note(error.message);
    else told().trouble(`Not kept: ${error.message}`);
  },
  onlost: (error) => told().trouble(error.status === 401 ? `Signed out: ${queue.size} kept in this browser; sign in, they are sent then.` : `NO LINK: ${queue.size} kept in this browser, sent as soon as it is back.`),
  onsize: (size) => {
    el("saving").textContent = size ? `saving ${number(size)}` : "";
    el("saving").hidden = !size;
  },
});

const may = () => root.dataset.may === "1" && !facts.signed;
const page = () => Math.floor(here / PER_PAGE);
const keysOf = (of = page()) => order.slice(of * PER_PAGE, (of + 1) * PER_PAGE);
const rowsOf = (of = page()) => keysOf(of).map((key) => rows.get(key)).filter(Boolean);
const targets = () => (selected.size ? order.filter((key) => selected.has(key)) : order.length ? [order[here]] : []);
const stands = (row) => standsAs(row, facts.threshold);

async function call(path, body, more = {}) {
  const options = body === undefined ? {} : { ...more, method: "POST", headers: writeHeaders({ "content-type": "application/json" }), body: JSON.stringify(body) };
  const answer = await fetch(`/api/scans/${scan}/${path}`, options);
  const content = await answer.json().catch(() => ({ message: `the appliance answered ${answer.status}` }));
  if (!answer.ok) throw Object.assign(new Error(`${(content.message ?? `the appliance answered ${answer.status}`).replace(/\.$/, "")}. ${content.advice ?? ""}`), { status: answer.status, code: content.code });
  return content;
}

function number(value) {
  return value.toLocaleString("en").replaceAll(",", "\u202f");
}

function showTally() {
  const all = [...rows.values()];
  const counts = countsOf(all, facts.threshold);
  el("looked").textContent = number(all.length - counts.undecided);
  el("of").textContent = number(all.length);
  el("multiples").textContent = number(counts.multiple);
  el("parts").textContent = number(counts.cut);
  el("progress").max = Math.max(all.length, 1);
  el("progress").value = all.length - counts.undecided;
  for (const option of el("among").options) option.textContent = `${option.dataset.words} (${number(counts[option.value])})`;
}

function show() {
  montage.draw(rowsOf(), { here: order[here], selected, threshold: facts.threshold });
  const pages = Math.ceil(order.length / PER_PAGE);
  el("where").textContent = order.length ? `page ${page() + 1} of ${number(pages)}${selected.size ? ` · ${selected.size} selected` : ""}` : "none to show";
  el("nothing").hidden = order.length > 0;
  map.show([...rows.values()], stands);
  map.goTo(rows.get(order[here]));
  showCard();
  montage.fetchAhead(rowsOf(page() + 1));
}

function showCard() {
  const row = rows.get(order[here]);
  el("card").hidden = !row;
  if (!row) return;
  el("card-key").textContent = row.key;
  const areaMm2 = (row.area_px2 ?? 0) * facts.pixel_mm ** 2;
  const lines = [
    ["stands as", verdictOf(row, facts.threshold)],
    ["by", row.decision ? `${row.decided_by}, ${row.decided_utc.slice(0, 16).replace("T", " ")}Z` : row.multiple_score === null ? "nobody has looked" : "the score; nobody has looked"],
    ["score", scoreOf(row, facts.threshold)],
    ["size", `${montage.sizeWords(row)}, ESD ${(2 * Math.sqrt(areaMm2 / Math.PI)).toFixed(2)} mm`],
    ["mean grey", row.mean_grey === null ? "–" : row.mean_grey.toFixed(1)],
    ["at", `${row.x_px}, ${row.y_px} px`],
  ];
  if (row.cut_from) lines.push(["cut from", row.cut_from]);
  if (row.label) lines.push(["EcoTaxa", `${row.label} (${row.label_status})`]);
  el("card-facts").replaceChildren(
    ...lines.map(([what, value]) => {
      const line = document.createElement("tr");
      const head = document.createElement("th");
      const cell = document.createElement("td");
      head.scope = "row";
      head.textContent = what;
      cell.textContent = value;
      line.append(head, cell);
      return line;
    }),
  );
}

function reorder({ keep = false } = {}) {
  const before = order[here];
  order = orderOf([...rows.values()], wanted, { threshold: facts.threshold, pixelMm: facts.pixel_mm });
  selected.clear();
  anchor = null;
  here = keep ? Math.max(0, order.indexOf(before)) : 0;
  showTally();
  show();
}

function moveTo(to, { withShift = false } = {}) {
  if (!order.length) return;
  const from = here;
  here = Math.min(Math.max(to, 0), order.length - 1);
  if (withShift) {
    anchor ??= from;
    selected.clear();
    for (const key of order.slice(Math.min(anchor, here), Math.max(anchor, here) + 1)) selected.add(key);
  } else anchor = null;
  show();
}

function toggle(key) {
  if (!selected.delete(key)) selected.add(key);
  anchor = order.indexOf(key);
  show();
}

// What is done -----------------------------------------------------------------------------------------------------

/** What is shown runs ahead of the appliance: what still waits to be sent is put over what it says. */
function overlay() {
  const byNow = { decided_by: "you", decided_utc: new Date().toISOString() };
  for (const { path, body } of queue.acts) {
    if (path === "decisions") for (const key of body.objects) if (rows.has(key)) rows.set(key, { ...rows.get(key), decision: body.decision, ...byNow });
  }
}

/** An act of this page; `joins`: it is one with the act before it to whoever takes it back. */
function write(path, body, { joins = false } = {}) {
  const uuid = newUuid();
  if (joins) acts.at(-1).push(uuid);
  else acts.push([uuid]);
  return queue.add(path, { ...body, uuid });
}

/** The checks of quality look at every object: once nothing was done for a while. */
function lookAgain() {
  clearTimeout(looking);
  looking = setTimeout(() => (queue.size ? lookAgain() : showFindings().catch(() => null)), 1500);
}

async function showFindings() {
  const check = await call("check");
  el("findings").replaceChildren(...findingLines(check.findings.filter((one) => one.level !== "ok")));
}

/** What an act changed: objects that hold something else now, that came and that went. */
function take(answer) {
  facts.revision = answer.revision;
  for (const row of answer.objects) rows.set(row.key, row);
  for (const key of answer.gone) rows.delete(key);
  const fresh = answer.objects.map((row) => row.key).filter((key) => !order.includes(key));
  if (answer.gone.length) {
    const at = order.findIndex((key) => answer.gone.includes(key));
    order = order.filter((key) => !answer.gone.includes(key));
    order.splice(Math.max(at, 0), 0, ...fresh); // the parts stand where the whole stood
    here = Math.min(Math.max(at, 0), Math.max(order.length - 1, 0));
  }
  overlay();
  map.setOutlines(answer.outlines.map((one) => [one.key, Uint16Array.from(one.points.flat())]));
  showTally();
  show();
}

function decide(decision, keys = targets()) {
  if (!may() || !keys.length) return;
  const isSingle = !selected.size && keys.length === 1;
  selected.clear();
  write("decisions", { objects: keys, decision });
  overlay();
  showTally();
  if (isSingle && !cutting.isOpen) moveTo(here + 1);
  else show();
}

/** What is undecided on this page is what it is proposed as; on to the next page. */
function acceptPage() {
  if (!may()) return;
  const left = rowsOf().filter((row) => !row.decision);
  const kinds = ["single", "multiple"].map((kind) => [kind, left.filter((row) => stands(row) === kind).map((row) => row.key)]).filter(([, keys]) => keys.length);
  selected.clear();
  kinds.forEach(([kind, keys], index) => write("decisions", { objects: keys, decision: kind }, { joins: index > 0 }));
  overlay();
  showTally();
  moveTo((page() + 1) * PER_PAGE);
}

/** `anyone`: the newest act, whoever did it. */
async function undo({ anyone = false } = {}) {
  if (!may()) return;
  const own = anyone ? undefined : acts.pop();
  // An act before this visit, or somebody else's, has no name here: which one is the newest may change, so that is not sent twice.
  const asked = own ? own.reverse().map((action) => queue.add("undo", { action })) : [queue.add("undo", anyone ? { anyone } : {}, { keep: false })];
  for (const one of asked) {
    const answer = await one;
    if (!answer) continue;
    const at = order.indexOf(answer.objects[0]?.key);
    if (at >= 0) moveTo(at);
    if (cutting.isOpen) cutting.show(rows.get(order[here]));
  }
}

function rescale(step) {
  const at = Math.min(Math.max(SCALES.indexOf(montage.scale) + step, 0), SCALES.length - 1);
  montage.scale = SCALES[at];
  montage.rescale(rowsOf());
  showScale();
}

function showScale() {
  el("scale-words").textContent = montage.scale === 1 ? "1:1" : `1:${Math.round(1 / montage.scale)}`;
  el("scale-bar").style.width = `${montage.millimetrePx()}px`;
}

function toggleMap() {
  root.classList.toggle("wide-map");
  el("map-button").setAttribute("aria-pressed", String(root.classList.contains("wide-map")));
  requestAnimationFrame(() => map.goTo(rows.get(order[here]), { closer: root.classList.contains("wide-map") && !map.view.fitted }));
}

const DO = {
  single: () => (cutting.isOpen ? decideInCut("single") : decide("single")),
  multiple: () => (cutting.isOpen ? decideInCut("multiple") : decide("multiple")),
  accept: acceptPage,
  undo: () => undo(),
  pageBefore: () => moveTo((page() - 1) * PER_PAGE),
  pageAfter: () => moveTo((page() + 1) * PER_PAGE),
  objectBefore: () => stepInCut(-1),
  objectAfter: () => stepInCut(1),
  open: () => order.length && cutting.show(rows.get(order[here])),
  sign: () => signing.open(),
  finer: () => rescale(-1),
  coarser: () => rescale(1),
  map: toggleMap,
  fit: () => map.view.fit(),
  zoom: () => order.length && map.goTo(rows.get(order[here]), { closer: true }),
  outlines: () => {
    map.showsOutlines = !map.showsOutlines;
    el("outlines-button").setAttribute("aria-pressed", String(map.showsOutlines));
    map.redraw();
  },
};
const KEYS = { s: DO.single, m: DO.multiple, u: DO.undo, "+": DO.finer, "=": DO.finer, "-": DO.coarser, v: DO.map, o: DO.outlines, f: DO.fit, z: DO.zoom };
const SORTS = { 1: "score", 2: "size", 3: "grey", 4: "position" };
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ACROSS, ArrowDown: ACROSS, PageUp: -PER_PAGE, PageDown: PER_PAGE, Home: -Infinity, End: Infinity };

function chooseSort(name) {
  wanted.sort = name;
  for (const button of document.querySelectorAll("[data-sort]")) button.setAttribute("aria-pressed", String(button.dataset.sort === name));
  reorder();
}

/** EcoTaxa's keys, where they mean something here. */
function pressWithControl(event) {
  const key = event.key.toLowerCase();
  if (event.altKey || !(event.ctrlKey || event.metaKey) || event.target.matches("input, select, textarea")) return false;
  if (key === "z") undo();
  else if (key === "s") says.note(queue.size ? `Everything is kept by itself: ${queue.size} on their way.` : "Everything is kept by itself, and is.");
  else if (cutting.isOpen) return false;
  else if (key === "a") {
    for (const one of keysOf()) selected.add(one);
    show();
  } else if (key === "l") acceptPage();
  else if (event.shiftKey && (key === "arrowright" || key === "arrowleft")) moveTo((page() + (key === "arrowright" ? 1 : -1)) * PER_PAGE);
  else return false;
  return true;
}

/** The object before or after the one that is enlarged. */
function stepInCut(step) {
  moveTo(here + step);
  cutting.show(rows.get(order[here]));
}

function decideInCut(decision) {
  decide(decision, [cutting.row.key]);
  stepInCut(1);
}

function pressInCut(event) {
  if (event.key === "]" || event.key === "[") stepInCut(event.key === "]" ? 1 : -1);
  else if (event.key === "m" || event.key === "s") decideInCut(event.key === "m" ? "multiple" : "single");
  else if (event.key === "u") undo();
  else return cutting.press(event);
  return true;
}

function press(event) {
  if (!facts || signing.isOpen || el("help").open) return;
  if (pressWithControl(event)) return event.preventDefault();
  const onButton = event.target.matches("button, a, summary") && [" ", "Enter"].includes(event.key) && !event.shiftKey;
  if (isTyping(event) || onButton) return;
  if (cutting.isOpen) {
    if (pressInCut(event)) event.preventDefault();
    return;
  }
  if (event.key === "Enter" && event.shiftKey) acceptPage();
  else if (event.key === "Enter") DO.open();
  else if (event.key === "x" && order.length) toggle(order[here]);
  else if (event.key === "Escape" && selected.size) {
    selected.clear();
    show();
  } else if (event.key in STEPS) moveTo(here + STEPS[event.key], { withShift: event.shiftKey });
  else if (event.key in SORTS) chooseSort(SORTS[event.key]);
  else if (event.key in KEYS) KEYS[event.key]();
  else return;
  event.preventDefault();
}

function listen() {
  document.addEventListener("keydown", press, { capture: true });
  cells.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell-object");
    if (!cell) return;
    const at = order.indexOf(cell.dataset.key);
    if (event.ctrlKey || event.metaKey) return toggle(order[at]);
    if (!event.shiftKey) selected.clear();
    moveTo(at, { withShift: event.shiftKey });
  });
  cells.addEventListener("dblclick", DO.open);
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => {
      DO[button.dataset.do]();
      if (!signing.isOpen) (cutting.isOpen ? el("cut-canvas") : cells).focus();
    });
  }
  for (const button of document.querySelectorAll("[data-sort]")) button.addEventListener("click", () => chooseSort(button.dataset.sort));
  for (const name of ["among", "label"]) {
    el(name).addEventListener("change", (event) => {
      wanted[name] = event.target.value;
      event.target.blur();
      reorder();
    });
  }
  for (const field of document.querySelectorAll("[data-range]")) {
    field.addEventListener("change", () => {
      wanted[field.dataset.range][field.dataset.end] = field.value === "" ? null : Number(field.value);
      reorder();
    });
  }
  addEventListener("resize", () => montage.rescale(rowsOf()));
}

function showLabels() {
  const labels = [...new Set([...rows.values()].map((row) => row.label).filter(Boolean))].sort();
  const options = labels.map((label) => new Option(label, label));
  el("label").replaceChildren(new Option("any label", ""), ...options);
  el("label").hidden = !labels.length;
}

async function reload() {
  const found = await call("objects");
  if (facts && (found.run !== facts.run || found.signed !== facts.signed)) return location.reload(); // processed anew, signed or withdrawn elsewhere
  facts = found;
  rows.clear();
  for (const row of found.objects) rows.set(row.key, row);
  overlay();
  root.classList.toggle("signed", found.signed);
  document.body.classList.toggle("looking-only", !may());
  el("signed-note").hidden = !found.signed;
  cutting && (cutting.may = may());
  showLabels();
  if (!montage) return;
  const gone = new Set(order.filter((key) => !rows.has(key)));
  if (gone.size || [...rows.keys()].some((key) => !order.includes(key))) reorder({ keep: true });
  else {
    showTally();
    show();
  }
  if (gone.size || map.outlines.size < rows.size) await loadOutlines();
}

async function loadOutlines() {
  const answer = await fetch(`/api/scans/${scan}/outlines`);
  if (answer.ok) map.setOutlines(unpackOutlines(await answer.arrayBuffer()));
}

async function begin() {
  await reload();
  montage = new Montage(cells, { scan, pixelMm: facts.pixel_mm });
  map = new ScanMap(el("map"), {
    scan,
    run: facts.run,
    widthPx: facts.width_px,
    heightPx: facts.height_px,
    onpick: (row) => {
      if (!order.includes(row.key)) {
        Object.assign(wanted, { among: "all", label: "", score: { from: null, to: null }, area_mm2: { from: null, to: null } });
        el("among").value = "all";
        for (const field of document.querySelectorAll("[data-range]")) field.value = "";
        reorder();
      }
      selected.clear();
      moveTo(order.indexOf(row.key));
      cells.focus();
    },
  });
  cutting = new Cutting({
    scan,
    call,
    may: may(),
    write,
    onchange: (answer, row) => {
      const next = answer.objects.find((one) => one.key === row.key) ?? answer.objects[0] ?? rows.get(order[here]);
      const at = order.indexOf(next?.key);
      if (at >= 0) moveTo(at);
      cutting.show(next);
    },
  });
  signing = new Signing({ call, saved: () => queue.after(() => null), onsigned: () => location.reload() });
  listen();
  showScale();
  const strangers = queue.resume();
  acts = queue.acts.filter((act) => act.body.uuid).map((act) => [act.body.uuid]);
  overlay();
  if (strangers) says.note(`${strangers} of somebody else's wait in this browser; they are sent when that person opens this page.`);
  const first = new URLSearchParams(location.search).get("object");
  reorder();
  if (first && order.includes(first)) moveTo(order.indexOf(first));
  cells.focus();
  await loadOutlines();
  await showFindings(); // looks at every object: after what a person waits for
}

/** Somebody else decided, or the scan was processed anew: followed, unless this page's own act is what changed. */
new MutationObserver(() => {
  const revision = document.querySelector("#check-now [data-revision]")?.dataset.revision;
  if (facts && revision && revision !== facts.revision) queue.after(() => revision !== facts.revision && reload()).catch((error) => says.trouble(error.message));
}).observe(document.querySelector(".scan-side"), { childList: true, subtree: true });

begin().catch((error) => says.trouble(error.message));
