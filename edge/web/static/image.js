// The image page: loads the picture and the objects of a run, and binds slider, buttons and keys to the viewers.

import { Editor } from "/static/boxes.js";
import { keepView, keptView } from "/static/kept.js";
import { isTyping } from "/static/keys.js";
import { View, Viewer } from "/static/viewer.js";

const PAN_PX = 80;
const ZOOM_STEP = 1.25;

const canvas = document.getElementById("canvas");
const compare = document.getElementById("compare");
const slider = document.getElementById("threshold");
const problem = document.getElementById("picture-problem");
const fileId = canvas.dataset.file;

const note = document.getElementById("picture-note");
const kept = keptView();

const view = new View(Number(canvas.dataset.width), Number(canvas.dataset.height));
const main = new Viewer(canvas, view);
let other = null;

async function loadObjects(viewer, run, official) {
  const answer = await fetch(`/api/objects?file=${fileId}&run=${encodeURIComponent(run)}&candidates=true`);
  const body = await answer.json();
  if (!answer.ok) {
    note.textContent = `The objects cannot be shown: ${body.message}.`;
    return;
  }
  viewer.objects = body.objects;
  viewer.official = official;
  showCounts();
}

function loadPicture() {
  const address = canvas.dataset.picture;
  if (!address) return;
  const picture = new Image();
  picture.addEventListener("load", () => {
    problem.hidden = true;
    if (!view.known) {
      view.widthPx = picture.naturalWidth;
      view.heightPx = picture.naturalHeight;
      view.fit();
      view.restore(kept.view);
    }
    for (const viewer of view.viewers) viewer.picture = picture;
    if (picture.naturalWidth < view.widthPx) {
      note.textContent += ` Shown reduced, at ${picture.naturalWidth} of ${view.widthPx} px width; boxes and results are of the full image.`;
    }
    canvas.dataset.shown = "true";
    view.changed();
    warmNext();
  });
  picture.addEventListener("error", async () => {
    sayWhyNot(await answerOf(address));
    warmNext();
  });
  picture.src = address;
}

/** The next picture, so that it is there when its key is pressed; only one that the page knows to be there. */
function warmNext() {
  if (canvas.dataset.next) new Image().src = canvas.dataset.next;
}

async function answerOf(address) {
  try {
    const answer = await fetch(address);
    if (answer.headers.get("content-type")?.startsWith("application/json")) return await answer.json();
    return { message: "the browser cannot decode it", advice: "Open the original in a viewer; the result is not affected." };
  } catch {
    return { message: "the service does not answer", advice: "Load the page again when it runs." };
  }
}

function sayWhyNot({ message, advice }) {
  problem.querySelector("[data-why]").textContent = `${message}.`.replace(/^./, (first) => first.toUpperCase());
  problem.querySelector("[data-advice]").textContent = advice ?? "";
  problem.hidden = false;
  note.textContent = "";
  view.changed();
}

function showCounts() {
  if (!slider) return;
  const value = Number(slider.value);
  for (const viewer of view.viewers) viewer.threshold = value;
  document.getElementById("threshold-value").textContent = value.toFixed(2);
  slider.setAttribute("aria-valuetext", `score from ${value.toFixed(2)}`);
  const text = `${main.shown().length}` + (other ? ` and ${other.shown().length}` : "");
  document.getElementById("count-here").textContent = text;
  canvas.setAttribute("aria-label", `The image with ${text} boxes from score ${value.toFixed(2)}`);
  view.changed();
}

function setThreshold(value) {
  if (!slider) return;
  slider.value = String(value);
  chosenThreshold();
}

/** The threshold that a person chose, which the next image shows too; the official one is each image's own. */
function chosenThreshold() {
  keepView({ threshold: Number(slider.value) });
  showCounts();
}

function officialThreshold() {
  if (!slider) return;
  slider.value = String(main.official);
  keepView({ threshold: null });
  showCounts();
}

function toggle(name) {
  const on = !main[name];
  for (const viewer of view.viewers) viewer[name] = on;
  document.getElementById(`${name}-button`).setAttribute("aria-pressed", String(on));
  keepView({ [name]: on });
  view.changed();
}

function pressOne(selector, chosen) {
  for (const button of document.querySelectorAll(selector)) button.setAttribute("aria-pressed", String(button === chosen));
}

function showRun(button) {
  pressOne("[data-show]", button);
  document.getElementById("official").textContent = Number(button.dataset.official).toFixed(2);
  document.getElementById("count-official").textContent = button.dataset.count;
  slider.min = button.dataset.floor;
  loadObjects(main, button.dataset.show, Number(button.dataset.official));
}

function compareRun(button) {
  const off = button.getAttribute("aria-pressed") === "true";
  pressOne("[data-compare]", off ? null : button);
  compare.hidden = off;
  view.viewers = [main];
  other = null;
  if (!off) {
    other = compare.viewer ?? new Viewer(compare, view);
    compare.viewer = other;
    view.viewers = [main, other];
    Object.assign(other, { picture: main.picture, boxes: main.boxes, labels: main.labels });
    loadObjects(other, button.dataset.compare, Number(button.dataset.official));
  }
  view.fit();
  showCounts();
}

const KEYS = {
  "+": () => view.zoom(ZOOM_STEP),
  "=": () => view.zoom(ZOOM_STEP),
  "-": () => view.zoom(1 / ZOOM_STEP),
  0: () => view.fit(),
  1: () => view.actual(),
  ArrowLeft: () => view.pan(-PAN_PX, 0),
  ArrowRight: () => view.pan(PAN_PX, 0),
  ArrowUp: () => view.pan(0, -PAN_PX),
  ArrowDown: () => view.pan(0, PAN_PX),
  "[": () => setThreshold(Number(slider?.value) - 0.01),
  "]": () => setThreshold(Number(slider?.value) + 0.01),
  "\\": officialThreshold,
  t: () => slider?.focus(),
  b: () => toggle("boxes"),
  l: () => toggle("labels"),
};

// On the slider; a browser's own step of a slider without steps differs from one to the next.
const SLIDER_KEYS = {
  ArrowLeft: () => setThreshold(Number(slider.value) - 0.01),
  ArrowDown: () => setThreshold(Number(slider.value) - 0.01),
  ArrowRight: () => setThreshold(Number(slider.value) + 0.01),
  ArrowUp: () => setThreshold(Number(slider.value) + 0.01),
  PageDown: () => setThreshold(Number(slider.value) - 0.1),
  PageUp: () => setThreshold(Number(slider.value) + 0.1),
  Home: () => setThreshold(slider.min),
  End: () => setThreshold(slider.max),
};

document.addEventListener(
  "keydown",
  (event) => {
    if (event.target === slider && Object.hasOwn(SLIDER_KEYS, event.key)) {
      event.preventDefault();
      SLIDER_KEYS[event.key]();
      return;
    }
    if (isTyping(event) || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  },
  true,
);
document.addEventListener("modechange", () => view.changed());
view.onchange = () => {
  document.getElementById("zoom").textContent = view.fitted ? "fit" : `${Math.round(view.scale * 100)} %`;
};
slider?.addEventListener("input", chosenThreshold);
for (const [id, action] of [
  ["boxes-button", () => toggle("boxes")],
  ["labels-button", () => toggle("labels")],
  ["in-button", () => view.zoom(ZOOM_STEP)],
  ["out-button", () => view.zoom(1 / ZOOM_STEP)],
  ["fit-button", () => view.fit()],
  ["actual-button", () => view.actual()],
]) {
  document.getElementById(id).addEventListener("click", action);
}
for (const button of document.querySelectorAll("[data-show]")) button.addEventListener("click", () => showRun(button));
for (const button of document.querySelectorAll("[data-compare]")) button.addEventListener("click", () => compareRun(button));

function takeUpKept() {
  for (const name of ["boxes", "labels"]) if (kept[name] === !main[name]) toggle(name);
  if (slider && Number.isFinite(kept.threshold)) slider.value = String(kept.threshold);
  view.fit();
  if (view.known) view.restore(kept.view);
}

addEventListener("pagehide", () => {
  if (canvas.dataset.shown) keepView({ view: view.state() });
});
takeUpKept();
loadPicture();
if (canvas.dataset.run) loadObjects(main, canvas.dataset.run, Number(canvas.dataset.official));
const panel = document.getElementById("boxes-panel");
if (panel?.querySelector("[data-boxes=toggle]")) new Editor({ panel, canvas, view, main, threshold: () => Number(slider.value) });
