// The frame strip: keys, scale, which moment is in the middle, and the frame of a moment. Without it the strip still scrolls.

const strip = document.getElementById("strip");
const tow = strip.dataset.tow;
const shown = document.getElementById("strip-at");
const frame = document.getElementById("strip-frame");
const picture = document.getElementById("strip-frame-picture");
const lacks = document.getElementById("strip-frame-lacks");
const STEP_S = 1 / 6;
const PART = 0.12;
const SCALES = { 1: "1", 2: "2", 3: "4" };
let times = [];
let stretches = [];
let columns = 1;
let frameAt = 0;

const scale = () => strip.scrollWidth / columns;

/** Seconds of the tow at a column, between the two frames around it. */
function timeOf(column) {
  let low = 0;
  let high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle][1] <= column) low = middle;
    else high = middle;
  }
  const [fromS, from] = times[low];
  const [toS, to] = times[high];
  return to > from ? fromS + ((toS - fromS) * Math.min(Math.max(column - from, 0), to - from)) / (to - from) : fromS;
}

function columnOf(atS) {
  let place = times.findIndex(([at]) => at >= atS);
  if (place < 0) place = times.length - 1;
  return times[place][1];
}

function clock(atS) {
  const tenths = Math.round(Math.abs(atS) * 10);
  const rest = (tenths % 600) / 10;
  return `${atS < 0 ? "-" : ""}${Math.floor(tenths / 600)}:${rest.toFixed(1).padStart(4, "0")}`;
}

const middle = () => (strip.scrollLeft + strip.clientWidth / 2) / scale();

function tell() {
  if (times.length) shown.textContent = clock(timeOf(middle()));
}

function show(column) {
  strip.scrollLeft = column * scale() - strip.clientWidth / 2;
}

function setScale(word) {
  const column = middle();
  strip.dataset.scale = word;
  for (const one of document.querySelectorAll("[data-scale][aria-pressed]")) one.setAttribute("aria-pressed", String(one.dataset.scale === word));
  show(column);
  tell();
}

function openFrame(atS) {
  if (!times.length) return;
  frameAt = Math.min(Math.max(atS, times[0][0]), times.at(-1)[0]);
  document.getElementById("strip-frame-at").textContent = clock(frameAt);
  lacks.hidden = true;
  picture.alt = `The frame at ${clock(frameAt)}`;
  picture.src = `/api/tows/${tow}/strip/frame?at_s=${frameAt.toFixed(3)}`;
  if (!frame.open) frame.showModal();
}

/** The next stretch with something wrong behind the middle; behind the last one the first. */
function nextTrouble() {
  const places = [...stretches].sort((one, other) => one - other);
  if (!places.length) return;
  const here = middle() + 2;
  show(places.find((place) => place > here) ?? places[0]);
  strip.focus();
}

function minute(step) {
  const at = timeOf(middle()) / 60;
  show(columnOf((step > 0 ? Math.floor(at + 1e-3) + 1 : Math.ceil(at - 1e-3) - 1) * 60));
}

const ACTIONS = {
  ArrowLeft: () => (strip.scrollLeft -= strip.clientWidth * PART),
  ArrowRight: () => (strip.scrollLeft += strip.clientWidth * PART),
  PageUp: () => (strip.scrollLeft -= strip.clientWidth * 0.9),
  PageDown: () => (strip.scrollLeft += strip.clientWidth * 0.9),
  Home: () => (strip.scrollLeft = 0),
  End: () => (strip.scrollLeft = strip.scrollWidth),
  "[": () => minute(-1),
  "]": () => minute(1),
  n: nextTrouble,
  1: () => setScale(SCALES[1]),
  2: () => setScale(SCALES[2]),
  3: () => setScale(SCALES[3]),
};

// Before the keys of everywhere: there Escape leaves the page.
function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select")) return;
  if (frame.open) {
    if (event.key === "," || event.key === ".") {
      event.preventDefault();
      openFrame(frameAt + (event.key === "," ? -STEP_S : STEP_S));
    } else if (event.key === "Escape") {
      event.preventDefault();
      frame.close();
    }
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && (event.target === strip || event.target === document.body)) {
    event.preventDefault();
    openFrame(timeOf(middle()));
    return;
  }
  const act = ACTIONS[event.key];
  if (!act || event.shiftKey) return;
  event.preventDefault();
  act();
}

document.addEventListener("keydown", press, true);

strip.addEventListener("click", (event) => openFrame(timeOf((strip.scrollLeft + event.clientX - strip.getBoundingClientRect().left) / scale())));
strip.addEventListener("scroll", tell, { passive: true });
picture.addEventListener("error", () => (lacks.hidden = false));
document.getElementById("strip-before").addEventListener("click", () => openFrame(frameAt - STEP_S));
document.getElementById("strip-behind").addEventListener("click", () => openFrame(frameAt + STEP_S));
document.getElementById("strip-next").addEventListener("click", nextTrouble);
document.getElementById("strip-print").addEventListener("click", () => print());
for (const one of document.querySelectorAll("[data-scale][aria-pressed]")) one.addEventListener("click", () => setScale(one.dataset.scale));

const answer = await fetch(`/api/tows/${tow}/strip`);
if (answer.ok) {
  const found = await answer.json();
  columns = found.columns;
  times = found.times;
  stretches = found.stretches.map((one) => one[3]);
  for (const one of strip.querySelectorAll("[data-hidden-from]")) stretches.push(Number(one.dataset.hiddenFrom));
  tell();
}
strip.focus({ preventScroll: true });
