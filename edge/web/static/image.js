// The image page: loads the picture and the objects of a run, and binds slider, buttons and keys to the viewers.

import { isTyping } from "/static/keys.js";
import { View, Viewer } from "/static/viewer.js";

const PAN_PX = 80;
const ZOOM_STEP = 1.25;

const canvas = document.getElementById("canvas");
const compare = document.getElementById("compare");
const slider = document.getElementById("threshold");
const problem = document.getElementById("picture-problem");
const fileId = canvas.dataset.file;

const view = new View(Number(canvas.dataset.width), Number(canvas.dataset.height));
const main = new Viewer(canvas, view);
let other = null;

async function loadObjects(viewer, run, official) {
  const answer = await fetch(`/api/objects?file=${fileId}&run=${encodeURIComponent(run)}&candidates=true`);
  const body = await answer.json();
  if (!answer.ok) {
    problem.textContent = `The objects cannot be shown: ${body.message}.`;
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
    if (!view.known) {
      view.widthPx = picture.naturalWidth;
      view.heightPx = picture.naturalHeight;
      view.fit();
    }
    for (const viewer of view.viewers) viewer.picture = picture;
    if (picture.naturalWidth < view.widthPx) problem.textContent = `Shown reduced, at ${picture.naturalWidth} of ${view.widthPx} px width.`;
    view.changed();
    const next = document.querySelector('[data-key="j"][href]');
    if (next) new Image().src = `/api/files/${next.getAttribute("href").match(/\d+/)[0]}/picture`; // warm for the next key
  });
  picture.addEventListener("error", async () => {
    const answer = await fetch(address);
    const isProblem = answer.headers.get("content-type")?.startsWith("application/json");
    const body = isProblem ? await answer.json() : { message: "the browser cannot decode it" };
    problem.textContent = `The picture is not shown: ${body.message}. ${body.advice ?? ""}`;
  });
  picture.src = address;
}

function showCounts() {
  if (!slider) return;
  const value = Number(slider.value);
  for (const viewer of view.viewers) viewer.threshold = value;
  document.getElementById("threshold-value").textContent = value.toFixed(2);
  const text = `${main.shown().length}` + (other ? ` and ${other.shown().length}` : "");
  document.getElementById("count-here").textContent = text;
  canvas.setAttribute("aria-label", `The image with ${text} boxes from score ${value.toFixed(2)}`);
  view.changed();
}

function setThreshold(value) {
  if (!slider) return;
  slider.value = String(value);
  showCounts();
}

function toggle(name) {
  const on = !main[name];
  for (const viewer of view.viewers) viewer[name] = on;
  document.getElementById(`${name}-button`).setAttribute("aria-pressed", String(on));
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
  1: () => view.zoom(1 / view.scale),
  ArrowLeft: () => view.pan(-PAN_PX, 0),
  ArrowRight: () => view.pan(PAN_PX, 0),
  ArrowUp: () => view.pan(0, -PAN_PX),
  ArrowDown: () => view.pan(0, PAN_PX),
  "[": () => setThreshold(Number(slider?.value) - 0.01),
  "]": () => setThreshold(Number(slider?.value) + 0.01),
  "\\": () => setThreshold(main.official),
  b: () => toggle("boxes"),
  l: () => toggle("labels"),
};

document.addEventListener(
  "keydown",
  (event) => {
    if (isTyping(event) || !Object.hasOwn(KEYS, event.key) || (event.target === slider && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    KEYS[event.key]();
  },
  true,
);
document.addEventListener("modechange", () => view.changed());
view.onchange = () => {
  document.getElementById("zoom").textContent = view.fitted ? "fit" : `${Math.round(view.scale * 100)} %`;
};
slider?.addEventListener("input", showCounts);
for (const [id, action] of [
  ["boxes-button", () => toggle("boxes")],
  ["labels-button", () => toggle("labels")],
  ["in-button", () => view.zoom(ZOOM_STEP)],
  ["out-button", () => view.zoom(1 / ZOOM_STEP)],
  ["fit-button", () => view.fit()],
]) {
  document.getElementById(id).addEventListener("click", action);
}
for (const button of document.querySelectorAll("[data-show]")) button.addEventListener("click", () => showRun(button));
for (const button of document.querySelectorAll("[data-compare]")) button.addEventListener("click", () => compareRun(button));

view.fit();
loadPicture();
if (canvas.dataset.run) loadObjects(main, canvas.dataset.run, Number(slider.value));
