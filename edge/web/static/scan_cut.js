// One object enlarged: what it was cut from, its separation lines, and the pointer or the arrow keys that draw another one.
import { listenTo } from "./gestures.js";
import { pathOf } from "./scan_map.js";
import { Says } from "./scan_says.js";
import { View } from "./viewer.js";

const el = (id) => document.getElementById(id);
const DRAGGED_PX = 4;
const NEAR_PX = 12;

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The pixels between two, over edges only: as the appliance makes them of what is drawn. */
function stepsBetween([fromX, fromY], [toX, toY]) {
  const [across, down] = [Math.abs(toX - fromX), Math.abs(toY - fromY)];
  const found = [];
  let [x, y, goneX, goneY] = [fromX, fromY, 0, 0];
  while (goneX < across || goneY < down) {
    if ((1 + 2 * goneX) * down < (1 + 2 * goneY) * across) [x, goneX] = [x + Math.sign(toX - fromX), goneX + 1];
    else [y, goneY] = [y + Math.sign(toY - fromY), goneY + 1];
    found.push([x, y]);
  }
  return found;
}

export class Cutting {
  /** `call(path, body)` asks the appliance; `write(path, body)` acts, its answer is taken when `onchange(answer)` is told; `may` whether acts are offered. */
  constructor({ scan, call, write, onchange, may }) {
    this.scan = scan;
    this.call = call;
    this.write = write;
    this.says = new Says(el("cut-trouble"));
    this.onchange = onchange;
    this.may = may;
    this.canvas = el("cut-canvas");
    this.row = null;
    this.isActing = false;
    this.clear();
    listenTo(this.canvas, {
      zoom: (...how) => this.view?.zoom(...how),
      pan: (...how) => this.view?.pan(...how),
      toggle: (...how) => this.view?.toggle(...how),
    });
    this.canvas.hand = { drag: true, desk: { on: true }, down: (event) => this.down(event), move: (event) => this.move(event), up: (event) => this.up(event), cancel: () => this.cancel() };
    new ResizeObserver(() => this.view?.fitted && this.fit()).observe(this.canvas);
    for (const button of document.querySelectorAll("[data-cut]")) button.addEventListener("click", () => (this[button.dataset.cut](), this.canvas.focus()));
    document.addEventListener("modechange", () => this.redraw());
  }

  get isOpen() {
    return el("cut").open;
  }

  clear() {
    this.facts = null;
    this.points = [];
    this.stroke = null;
    this.before = null;
    this.preview = null;
    this.chosen = null;
    this.cursor = null;
    this.view = null;
    this.picture = null;
    for (const name of ["cut-facts", "cut-parts", "cut-lines"]) el(name).replaceChildren(); // they were the last object's
    el("cut-says").textContent = "";
    for (const name of ["cut-keep", "cut-drop"]) if (el(name)) el(name).hidden = true;
    if (el("cut-erase")) el("cut-erase").disabled = true;
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  async show(row) {
    if (!row) return;
    if (!this.isOpen) el("cut").showModal();
    this.row = row;
    this.clear();
    this.say("");
    el("cut-title").textContent = row.key;
    const facts = await this.call(`objects/${row.key}`).catch((error) => this.say(error.message));
    if (!facts || this.row !== row) return;
    this.facts = facts;
    this.view = new View(facts.stage.width_px, facts.stage.height_px);
    this.view.viewers.push(this);
    const picture = new Image();
    picture.addEventListener("load", () => this.redraw());
    picture.addEventListener("error", () => this.say("The picture of this object cannot be read."));
    picture.src = `/api/scans/${this.scan}/objects/${facts.stage.key}/crop?of=${encodeURIComponent(facts.run)}`;
    this.picture = picture;
    this.fit();
    this.tell();
    this.canvas.focus();
  }

  close() {
    el("cut").close();
  }

  /** The largest whole number of screen pixels for one of the scan's; smaller where the object is larger than the window. */
  fit() {
    this.view.fit();
    if (this.view.scale > 1) this.view.scale = Math.min(Math.floor(this.view.scale), 16);
    this.view.fitted = true;
    this.redraw();
  }

  sizePx() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  say(words) {
    this.says.trouble(words);
  }

  tell() {
    const { facts } = this;
    if (!facts) return;
    el("cut-facts").replaceChildren(...facts.words.map(([what, value]) => this.line(what, value)));
    const lines = facts.lines.map((line, index) => this.line(`line ${index + 1}${index === this.chosen ? " ◀" : ""}`, `${line.is_human ? "by" : "by the separator"} ${line.made_by}, ${line.pixels.length} px`));
    el("cut-lines").replaceChildren(...(lines.length ? lines : [this.line("lines", "none")]));
    const parts = this.preview ? this.preview.parts.map((part, index) => this.line(`part ${index + 1}`, part.words)) : [];
    if (this.preview?.too_small) parts.push(this.line("left out", `${this.preview.too_small} too small to be objects`));
    el("cut-parts").replaceChildren(...parts);
    el("cut-says").textContent = this.words();
    if (!el("cut-keep")) return; // looking only
    el("cut-keep").hidden = !this.preview || !this.preview.cuts;
    el("cut-drop").hidden = !this.preview && !this.points.length;
    el("cut-erase").disabled = !facts.lines.length;
  }

  line(what, value) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    const cell = document.createElement("td");
    head.scope = "row";
    head.textContent = what;
    cell.textContent = value;
    row.append(head, cell);
    return row;
  }

  words() {
    if (!this.may) return document.getElementById("scan-check").dataset.may ? "Signed: looking only." : "Looking only: the role review cuts.";
    if (this.preview?.cuts) return `${this.preview.parts.length} parts. Enter keeps the line, Esc drops it.`;
    if (this.preview) return "This line does not cut the object: what is left hangs together. Esc drops it.";
    if (this.chosen !== null) return "Enter erases the line that is marked, e marks the next, Esc leaves it.";
    if (this.points.length) return "Click on, or Space at the cross; Enter ends the line, Esc drops it.";
    return "Draw across with the pointer, or set points with a click or arrows and Space.";
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.view && this.isOpen) this.draw();
    });
  }

  place() {
    const { width, height } = this.sizePx();
    const { scale, centre } = this.view;
    return { left: Math.round(width / 2 - centre.x * scale), top: Math.round(height / 2 - centre.y * scale), scale };
  }

  draw() {
    const { width, height } = this.sizePx();
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    const pen = this.canvas.getContext("2d");
    const { left, top, scale } = this.place();
    const { stage } = this.facts;
    pen.fillStyle = token("--well");
    pen.fillRect(0, 0, width, height);
    pen.imageSmoothingEnabled = scale < 1;
    if (this.picture?.complete && this.picture.naturalWidth) pen.drawImage(this.picture, left, top, stage.width_px * scale, stage.height_px * scale);
    if (document.documentElement.dataset.mode === "red") {
      for (const [how, colour] of [["saturation", "#808080"], ["multiply", "#a00000"]]) {
        pen.globalCompositeOperation = how;
        pen.fillStyle = colour;
        pen.fillRect(0, 0, width, height);
      }
      pen.globalCompositeOperation = "source-over";
    }
    this.drawOver(pen, { left, top, scale });
  }

  drawOver(pen, place) {
    const outlines = this.preview ? this.preview.parts : this.facts.outlines;
    for (const one of outlines) this.drawOutline(pen, one, place);
    this.facts.lines.forEach((line, index) => this.drawPixels(pen, line.pixels, place, index === this.chosen ? token("--alarm") : token("--box-other")));
    if (this.preview) this.drawPixels(pen, this.preview.pixels, place, token("--box"));
    else if (this.points.length) this.drawPixels(pen, this.drawn(), place, token("--box"));
    if (this.cursor) this.drawCross(pen, place);
    this.drawBar(pen, place);
  }

  drawOutline(pen, one, { left, top, scale }) {
    const { stage } = this.facts;
    pen.save();
    pen.translate(left + (one.x_px - stage.x_px) * scale, top + (one.y_px - stage.y_px) * scale);
    pen.scale(scale, scale);
    one.path ??= pathOf(one.outline.flat());
    const isOther = this.facts.key !== one.key && !this.preview;
    pen.setLineDash(isOther ? [4 / scale, 4 / scale] : []);
    for (const [style, wide] of [["--halo", 4], [isOther ? "--box-other" : "--box", 2]]) {
      pen.strokeStyle = token(style);
      pen.lineWidth = wide / scale;
      pen.stroke(one.path);
    }
    pen.restore();
  }

  drawPixels(pen, pixels, { left, top, scale }, colour) {
    const { stage } = this.facts;
    const side = Math.max(scale, 2);
    for (const [style, more] of [[token("--halo"), 1], [colour, 0]]) {
      pen.fillStyle = style;
      for (const [x, y] of pixels) pen.fillRect(left + (x - stage.x_px) * scale - more, top + (y - stage.y_px) * scale - more, side + 2 * more, side + 2 * more);
    }
  }

  drawCross(pen, { left, top, scale }) {
    const { stage } = this.facts;
    const [x, y] = [left + (this.cursor[0] - stage.x_px + 0.5) * scale, top + (this.cursor[1] - stage.y_px + 0.5) * scale];
    for (const [style, wide] of [["--halo", 5], ["--box", 2]]) {
      pen.strokeStyle = token(style);
      pen.lineWidth = wide;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 5 * dx, y + 5 * dy);
        pen.lineTo(x + 16 * dx, y + 16 * dy);
      }
      pen.stroke();
    }
  }

  drawBar(pen, { scale }) {
    const wide = scale / this.facts.pixel_mm;
    const steps = [1, 0.5, 0.2, 0.1];
    const size = steps.find((one) => one * wide < this.canvas.width / 3) ?? 0.1;
    const bottom = this.canvas.height - 12;
    pen.fillStyle = token("--panel");
    pen.fillRect(6, bottom - 24, size * wide + 12, 32);
    pen.fillStyle = token("--ink");
    pen.fillRect(12, bottom, size * wide, 3);
    pen.font = '13px "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif';
    pen.fillText(`${size} mm`, 12, bottom - 8);
  }

  // The pointer ---------------------------------------------------------------------------------------------------

  /** The pixel of the scan under a pointer. */
  pixelAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const { left, top, scale } = this.place();
    const { stage } = this.facts;
    const clamp = (value, most) => Math.min(Math.max(value, 0), most - 1);
    return [stage.x_px + clamp(Math.floor((event.clientX - box.left - left) / scale), stage.width_px), stage.y_px + clamp(Math.floor((event.clientY - box.top - top) / scale), stage.height_px)];
  }

  down(event) {
    if (!this.view || !this.may || event.button !== 0) return;
    this.before = { points: [...this.points], preview: this.preview, chosen: this.chosen };
    if (this.preview) this.drop();
    const at = this.pixelAt(event);
    const near = this.points.length ? null : this.lineNear(at);
    if (near !== null) {
      this.chosen = near;
      this.stroke = null;
    } else {
      this.chosen = null;
      this.stroke = { x: event.clientX, y: event.clientY, isDragged: false };
      this.points.push(at);
    }
    this.tell();
    this.redraw();
  }

  move(event) {
    if (!this.stroke) return;
    if (Math.hypot(event.clientX - this.stroke.x, event.clientY - this.stroke.y) > DRAGGED_PX) this.stroke.isDragged = true;
    if (!this.stroke.isDragged) return;
    this.points.push(this.pixelAt(event));
    this.redraw();
  }

  /** A second finger came: it was no drawing, and what was there before the first one stands again. */
  cancel() {
    if (!this.before) return;
    Object.assign(this, this.before, { stroke: null, before: null });
    this.tell();
    this.redraw();
  }

  up() {
    this.before = null;
    const wasDragged = this.stroke?.isDragged;
    this.stroke = null;
    if (wasDragged) this.finish();
    else this.tell();
  }

  lineNear([x, y]) {
    const reach = NEAR_PX / this.view.scale;
    const near = this.facts.lines.map((line) => Math.min(...line.pixels.map(([px, py]) => Math.hypot(px - x, py - y))));
    const best = near.indexOf(Math.min(...near));
    return best >= 0 && near[best] <= reach ? best : null;
  }

  drawn() {
    return this.points.flatMap((point, index) => (index ? stepsBetween(this.points[index - 1], point) : [point]));
  }

  // Acts ----------------------------------------------------------------------------------------------------------

  async finish() {
    if (!this.facts) return;
    if (this.points.length < 2) return this.says.note("A line has two points or more.");
    this.say("");
    const row = this.row;
    const answer = await this.call("lines/preview", { object: this.facts.key, points: this.points }).catch((error) => this.say(error.message));
    if (!answer || this.row !== row) return;
    this.preview = answer;
    this.tell();
    this.redraw();
  }

  /** A line that the separator proposes. */
  async propose() {
    if (!this.may || !this.facts) return;
    if (this.preview?.cuts) return this.keep();
    const row = this.row;
    const answer = await this.call("lines/propose", { object: this.facts.key }).catch((error) => this.say(error.message));
    if (!answer || this.row !== row) return;
    if (!answer.cuts) return this.says.note("The separator finds nothing to cut here.");
    this.points = [];
    this.chosen = null;
    this.preview = answer;
    this.say("");
    this.tell();
    this.redraw();
  }

  async keep() {
    if (!this.may || !this.preview?.cuts) return;
    if (this.points.length) await this.act("lines", { object: this.facts.key, points: this.points });
    else await this.act("lines/accept", { object: this.facts.key, pixels: this.preview.pixels });
  }

  async erase() {
    if (!this.may || !this.facts?.lines.length) return;
    if (this.chosen === null) return this.mark();
    await this.act("lines/erase", { line: this.facts.lines[this.chosen].uuid });
  }

  mark() {
    if (!this.may || !this.facts) return; // not told yet
    this.drop();
    const { lines } = this.facts;
    this.chosen = lines.length ? ((this.chosen ?? -1) + 1) % lines.length : null;
    this.tell();
    this.redraw();
  }

  async act(path, body) {
    if (this.isActing) return; // a second Enter before the answer
    this.isActing = true;
    const row = this.row;
    const answer = await this.write(path, body);
    this.isActing = false;
    if (answer && this.isOpen && this.row === row) this.onchange(answer, row);
  }

  drop() {
    this.points = [];
    this.preview = null;
    this.stroke = null;
    if (this.facts) this.tell();
    this.redraw();
  }

  // Keys ----------------------------------------------------------------------------------------------------------

  press(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in steps) this.moveCursor(steps[event.key], event.shiftKey ? 10 : 1);
    else if (event.key === " ") this.setPoint();
    else if (event.key === "Enter") this.enter();
    else if (event.key === "Escape") this.escape();
    else if (event.key === "d") this.drop();
    else if (event.key === "e") this.mark();
    else if (event.key === "Delete") this.erase();
    else if (event.key === "w") this.propose();
    else if (event.key === "+" || event.key === "=") this.view?.zoom(1.5);
    else if (event.key === "-") this.view?.zoom(1 / 1.5);
    else if (event.key === "0") this.view && this.fit();
    else return false;
    return true;
  }

  moveCursor([dx, dy], by) {
    if (!this.facts || !this.may) return;
    const { stage } = this.facts;
    this.cursor ??= [stage.x_px + Math.floor(stage.width_px / 2), stage.y_px + Math.floor(stage.height_px / 2)];
    const clamp = (value, least, count) => Math.min(Math.max(value, least), least + count - 1);
    this.cursor = [clamp(this.cursor[0] + dx * by, stage.x_px, stage.width_px), clamp(this.cursor[1] + dy * by, stage.y_px, stage.height_px)];
    this.redraw();
  }

  setPoint() {
    if (!this.facts) return;
    if (!this.cursor) return this.moveCursor([0, 0], 0);
    if (this.preview) this.drop();
    this.chosen = null;
    this.points.push([...this.cursor]);
    this.tell();
    this.redraw();
  }

  enter() {
    if (this.preview) this.keep();
    else if (this.chosen !== null) this.erase();
    else if (this.points.length) this.finish();
    else this.close();
  }

  escape() {
    if (this.preview || this.points.length) this.drop();
    else if (this.chosen !== null) {
      this.chosen = null;
      this.tell();
      this.redraw();
    } else this.close();
  }
}
