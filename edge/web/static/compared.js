// Both sets of boxes on one picture. A is drawn whole, B dashed; a box without a partner is thick and carries its letter.

import { isTyping } from "/static/keys.js";
import { View, Viewer } from "/static/viewer.js";

const PAN_PX = 80;
const ZOOM_STEP = 1.25;
const STYLES = { a: { colour: "--box", dash: [] }, b: { colour: "--box-other", dash: [7, 5] } };

class PairViewer extends Viewer {
  sides = { a: [], b: [] };
  on = { a: true, b: true, d: false };

  drawBoxes(pen, left, top, scale) {
    const style = getComputedStyle(document.documentElement);
    const shown = this.shownBoxes();
    const place = (box) => [left + box[0] * scale, top + box[1] * scale, (box[2] - box[0]) * scale, (box[3] - box[1]) * scale];
    pen.strokeStyle = style.getPropertyValue("--halo").trim(); // below all boxes, so that no halo cuts the other side's line
    for (const { box } of shown) {
      pen.lineWidth = lineWidth(box) + 2;
      pen.strokeRect(...place(box));
    }
    for (const { side, box } of shown) {
      pen.strokeStyle = style.getPropertyValue(STYLES[side].colour).trim();
      pen.lineWidth = lineWidth(box);
      pen.setLineDash(STYLES[side].dash);
      pen.strokeRect(...place(box));
      if (box[6] === null) drawLetter(pen, style, side, place(box));
    }
    pen.setLineDash([]);
  }

  /** The boxes of the sides that are on; of A first, so that the dashes of B lie over it. */
  shownBoxes() {
    const sides = ["a", "b"].filter((side) => this.on[side]);
    return sides.flatMap((side) => this.sides[side].filter((box) => !this.on.d || box[6] === null).map((box) => ({ side, box })));
  }
}

function lineWidth(box) {
  return box[6] === null ? 3 : 1.5;
}

function drawLetter(pen, style, side, [x, y, width]) {
  pen.font = 'bold 14px "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif';
  const place = side === "a" ? x - 2 : x + width - 14; // A at the left corner, B at the right one
  pen.fillStyle = style.getPropertyValue("--halo").trim();
  pen.fillRect(place, y - 18, 16, 17);
  pen.fillStyle = style.getPropertyValue(STYLES[side].colour).trim();
  pen.fillText(side.toUpperCase(), place + 3, y - 5);
}

const canvas = document.getElementById("canvas");
const note = document.getElementById("note");
const view = new View(Number(canvas.dataset.width), Number(canvas.dataset.height));
const viewer = new PairViewer(canvas, view);

async function loadBoxes() {
  const answer = await fetch(canvas.dataset.boxes);
  const body = await answer.json();
  if (!answer.ok) {
    note.textContent = `The boxes cannot be shown: ${body.message}.`;
    return;
  }
  if (body.boxes) viewer.sides = body.boxes;
  else note.textContent = body.file.detail || "This file was not compared yet.";
  canvas.setAttribute("aria-label", `The picture with ${viewer.sides.a.length} boxes of A and ${viewer.sides.b.length} of B`);
  canvas.dataset.ready = "true";
  view.changed();
}

function loadPicture() {
  const picture = new Image();
  picture.addEventListener("load", () => {
    if (!view.known) {
      view.widthPx = picture.naturalWidth;
      view.heightPx = picture.naturalHeight;
      view.fit();
    }
    viewer.picture = picture;
    view.changed();
  });
  picture.addEventListener("error", async () => {
    const answer = await fetch(picture.src);
    const isProblem = answer.headers.get("content-type")?.startsWith("application/json");
    const body = isProblem ? await answer.json() : { message: "the browser cannot decode it" };
    note.textContent = `The picture is not shown: ${body.message}. ${body.advice ?? ""}`;
  });
  picture.src = canvas.dataset.picture;
}

function toggle(name) {
  viewer.on[name] = !viewer.on[name];
  document.getElementById(`${name}-button`).setAttribute("aria-pressed", String(viewer.on[name]));
  view.changed();
}

const KEYS = {
  a: () => toggle("a"),
  b: () => toggle("b"),
  d: () => toggle("d"),
  "+": () => view.zoom(ZOOM_STEP),
  "=": () => view.zoom(ZOOM_STEP),
  "-": () => view.zoom(1 / ZOOM_STEP),
  0: () => view.fit(),
  ArrowLeft: () => view.pan(-PAN_PX, 0),
  ArrowRight: () => view.pan(PAN_PX, 0),
  ArrowUp: () => view.pan(0, -PAN_PX),
  ArrowDown: () => view.pan(0, PAN_PX),
};

document.addEventListener(
  "keydown",
  (event) => {
    if (isTyping(event) || !Object.hasOwn(KEYS, event.key) || going(event)) return;
    event.preventDefault();
    KEYS[event.key]();
  },
  true,
);

// After g a letter names a page: that is not for the picture.
let wentAt = -Infinity;
function going(event) {
  if (event.key === "g") wentAt = performance.now();
  return performance.now() - wentAt < 1500;
}
document.addEventListener("keydown", (event) => going(event), true);
document.addEventListener("modechange", () => view.changed());
view.onchange = () => {
  document.getElementById("zoom").textContent = view.fitted ? "fit" : `${Math.round(view.scale * 100)} %`;
};
for (const [id, action] of [
  ["a-button", () => toggle("a")],
  ["b-button", () => toggle("b")],
  ["d-button", () => toggle("d")],
  ["in-button", () => view.zoom(ZOOM_STEP)],
  ["out-button", () => view.zoom(1 / ZOOM_STEP)],
  ["fit-button", () => view.fit()],
]) {
  document.getElementById(id).addEventListener("click", action);
}

view.fit();
loadPicture();
loadBoxes();
