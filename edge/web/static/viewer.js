// An image with boxes on a canvas: zoom, pan, and drawing. Coordinates are pixels of the full image.

import { listenTo } from "/static/gestures.js";

const MIN_SCALE = 0.02;
const MAX_SCALE = 32;

/** Where the image lies on the canvas; shared by two viewers, they move together. `scale` is screen pixels per image pixel. */
export class View {
  constructor(widthPx, heightPx) {
    this.widthPx = widthPx || 1600;
    this.heightPx = heightPx || 900;
    this.scale = 1;
    this.centre = { x: this.widthPx / 2, y: this.heightPx / 2 };
    this.fitted = true;
    this.known = widthPx > 0; // else the size comes with the picture
    this.viewers = [];
  }

  fit() {
    const { width, height } = this.viewers[0].sizePx();
    this.scale = Math.min(width / this.widthPx, height / this.heightPx);
    this.centre = { x: this.widthPx / 2, y: this.heightPx / 2 };
    this.fitted = true;
    this.changed();
  }

  /** Zoom by a factor so that the image point under `at` (screen pixels from the canvas centre) stays there. */
  zoom(factor, at = { x: 0, y: 0 }) {
    const scale = Math.min(Math.max(this.scale * factor, MIN_SCALE), MAX_SCALE);
    this.centre.x += at.x / this.scale - at.x / scale;
    this.centre.y += at.y / this.scale - at.y / scale;
    this.scale = scale;
    this.fitted = false;
    this.changed();
  }

  pan(dxPx, dyPx) {
    this.centre.x = Math.min(Math.max(this.centre.x + dxPx / this.scale, 0), this.widthPx);
    this.centre.y = Math.min(Math.max(this.centre.y + dyPx / this.scale, 0), this.heightPx);
    this.fitted = false;
    this.changed();
  }

  /** One image pixel per screen pixel. */
  actual(at) {
    this.zoom(1 / this.scale, at);
  }

  /** From fit to 1:1 at a point, and back. */
  toggle(at) {
    if (this.fitted) this.actual(at);
    else this.fit();
  }

  /** Where it is, for `restore`: null for fit, which is the same for every image. */
  state() {
    const { scale, centre, widthPx, heightPx } = this;
    return this.fitted ? null : { scale, x: centre.x, y: centre.y, widthPx, heightPx };
  }

  /** Go where another image of the same size was; an image of another size is shown whole. */
  restore(state) {
    if (!state || state.widthPx !== this.widthPx || state.heightPx !== this.heightPx) return;
    if (![state.scale, state.x, state.y].every(Number.isFinite)) return;
    this.centre = { x: state.x, y: state.y };
    this.scale = 1;
    this.zoom(state.scale);
  }

  changed() {
    for (const viewer of this.viewers) viewer.redraw();
    this.onchange?.();
  }
}

export class Viewer {
  constructor(canvas, view) {
    this.canvas = canvas;
    this.view = view;
    this.picture = null;
    this.objects = [];
    this.official = 0;
    this.threshold = 0;
    this.boxes = true;
    this.labels = false;
    this.pending = false;
    this.painter = null; // draws boxes in another way, while they are edited
    view.viewers.push(this);
    new ResizeObserver(() => (view.fitted ? view.fit() : this.redraw())).observe(canvas);
    listenTo(canvas, view);
  }

  sizePx() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  /** Objects at or above the threshold of the slider. */
  shown() {
    return this.objects.filter((object) => object.score >= this.threshold);
  }

  draw() {
    const { width, height } = this.sizePx();
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    const { scale, centre, widthPx, heightPx } = this.view;
    const left = width / 2 - centre.x * scale;
    const top = height / 2 - centre.y * scale;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.drawPicture(pen, left, top, widthPx * scale, heightPx * scale);
    if (this.painter) this.painter(pen, { left, top, scale });
    else if (this.boxes) this.drawBoxes(pen, left, top, scale);
  }

  drawPicture(pen, left, top, width, height) {
    const isRed = document.documentElement.dataset.mode === "red";
    if (isRed) {
      pen.fillStyle = "#000000"; // so that the blends below reach the last row of pixels and colour nothing beyond
      pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    }
    if (!this.picture) {
      if (!this.view.known) return;
      pen.strokeStyle = token("--edge");
      pen.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
      return;
    }
    pen.imageSmoothingEnabled = this.view.scale < 3;
    pen.drawImage(this.picture, left, top, width, height);
    if (!isRed) return;
    pen.globalCompositeOperation = "saturation"; // to grey, keeping luminance
    pen.fillStyle = "#808080";
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    pen.globalCompositeOperation = "multiply"; // then red light only
    pen.fillStyle = "#ff0000";
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    pen.globalCompositeOperation = "source-over";
  }

  drawBoxes(pen, left, top, scale) {
    const shown = this.shown();
    for (const [style, widthPx] of [["--halo", 4], ["--box", 2]]) {
      pen.strokeStyle = token(style);
      pen.lineWidth = widthPx;
      for (const object of shown) {
        pen.setLineDash(object.score < this.official ? [6, 5] : []);
        pen.strokeRect(
          left + object.x_min_px * scale,
          top + object.y_min_px * scale,
          (object.x_max_px - object.x_min_px) * scale,
          (object.y_max_px - object.y_min_px) * scale,
        );
      }
    }
    pen.setLineDash([]);
    if (this.labels) for (const object of shown) this.drawLabel(pen, object, left, top, scale);
  }

  drawLabel(pen, object, left, top, scale) {
    const text = `${object.label} ${object.score.toFixed(2)}`;
    pen.font = '13px "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif';
    const x = left + object.x_min_px * scale;
    const y = top + object.y_min_px * scale;
    pen.fillStyle = token("--halo");
    pen.fillRect(x - 1, y - 18, pen.measureText(text).width + 8, 17);
    pen.fillStyle = token("--box");
    pen.fillText(text, x + 3, y - 5);
  }
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
