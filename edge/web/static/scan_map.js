// The whole scan as a picture to zoom into: tiles are asked for as they come into sight, outlines are drawn over them.
import { listenTo } from "./gestures.js";
import { View } from "./viewer.js";

export const TILE_PX = 512;
const KEPT_TILES = 200;
const AT_ONCE = 4;
const CLICK_PX = 5; // a pointer that moved less did not pan
const BOXES_BELOW = 0.06; // screen pixels per scan pixel: below it outlines are smaller than their lines are wide
const MULTIPLES_BELOW = 0.025; // and below this the boxes of all would cover the scan

/** Outlines as the appliance packs them: a line of JSON [[key, points], ...], then x and y in the box of each, little-endian uint16. */
export function unpackOutlines(buffer) {
  const header = new DataView(buffer).getUint32(0, true);
  const index = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, header)));
  const found = new Map();
  let at = 4 + header;
  for (const [key, points] of index) {
    found.set(key, new Uint16Array(buffer.slice(at, at + 4 * points)));
    at += 4 * points;
  }
  return found;
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function pathOf(outline) {
  const path = new Path2D();
  for (let at = 0; at < outline.length; at += 2) path[at ? "lineTo" : "moveTo"](outline[at] + 0.5, outline[at + 1] + 0.5);
  path.closePath();
  return path;
}

export class ScanMap {
  constructor(canvas, { scan, run, widthPx, heightPx, onpick }) {
    this.canvas = canvas;
    this.scan = scan;
    this.run = run;
    this.tiles = new Map();
    this.loading = 0;
    this.wanted = [];
    this.rows = [];
    this.paths = new Map();
    this.outlines = new Map();
    this.here = null;
    this.showsOutlines = true;
    this.pending = false;
    this.levels = Math.max(0, Math.ceil(Math.log2(Math.max(widthPx, heightPx) / TILE_PX)));
    this.view = new View(widthPx, heightPx);
    this.view.viewers.push(this);
    this.standsAs = () => "single";
    new ResizeObserver(() => (this.view.fitted ? this.view.fit() : this.redraw())).observe(canvas);
    listenTo(canvas, this.view);
    this.listenForClicks(onpick);
    document.addEventListener("modechange", () => this.redraw());
    this.view.fit();
  }

  sizePx() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  listenForClicks(onpick) {
    let down = null;
    this.canvas.addEventListener("pointerdown", (event) => (down = event.button === 0 && event.isPrimary ? { x: event.clientX, y: event.clientY } : null));
    this.canvas.addEventListener("pointerup", (event) => {
      if (!down || Math.hypot(event.clientX - down.x, event.clientY - down.y) > CLICK_PX) return;
      const found = this.at(this.toScan(event));
      if (found) onpick(found);
    });
  }

  toScan(event) {
    const box = this.canvas.getBoundingClientRect();
    const { scale, centre } = this.view;
    return { x: centre.x + (event.clientX - box.left - box.width / 2) / scale, y: centre.y + (event.clientY - box.top - box.height / 2) / scale };
  }

  /** The smallest object whose box holds a point; boxes are a little larger where the picture is small, for a hand on a rolling ship. */
  at({ x, y }) {
    const more = 8 / this.view.scale;
    const near = this.rows.filter((row) => x >= row.x_px - more && x < row.x_px + row.width_px + more && y >= row.y_px - more && y < row.y_px + row.height_px + more);
    return near.sort((one, other) => one.width_px * one.height_px - other.width_px * other.height_px)[0] ?? null;
  }

  show(rows, standsAs) {
    this.rows = rows;
    this.standsAs = standsAs;
    this.redraw();
  }

  setOutlines(outlines) {
    for (const [key, outline] of outlines) {
      this.outlines.set(key, outline);
      this.paths.delete(key);
    }
    this.redraw();
  }

  /** Lead the picture to an object; where the whole scan is shown it stays whole. */
  goTo(row, { closer = false } = {}) {
    this.here = row?.key ?? null;
    if (row && (closer || !this.view.fitted)) {
      const { width, height } = this.sizePx();
      this.view.centre = { x: row.x_px + row.width_px / 2, y: row.y_px + row.height_px / 2 };
      if (closer) this.view.scale = Math.min(4, width / row.width_px / 2.5, height / row.height_px / 2.5);
      this.view.fitted = false;
    }
    this.redraw();
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  draw() {
    const { width, height } = this.sizePx();
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    const { scale, centre } = this.view;
    const place = { left: width / 2 - centre.x * scale, top: height / 2 - centre.y * scale, scale, width, height };
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = token("--well");
    pen.fillRect(0, 0, width, height);
    this.drawTiles(pen, place);
    if (document.documentElement.dataset.mode === "red") this.redden(pen, width, height);
    if (this.showsOutlines) this.drawObjects(pen, place);
  }

  redden(pen, width, height) {
    for (const [how, colour] of [["saturation", "#808080"], ["multiply", "#a00000"]]) {
      pen.globalCompositeOperation = how;
      pen.fillStyle = colour;
      pen.fillRect(0, 0, width, height);
    }
    pen.globalCompositeOperation = "source-over";
  }

  drawTiles(pen, { left, top, scale, width, height }) {
    const { widthPx, heightPx } = this.view;
    const level = Math.min(this.levels, Math.max(0, Math.floor(Math.log2(1 / scale) + 0.25)));
    const side = TILE_PX * 2 ** level;
    pen.fillStyle = "#ffffff";
    pen.fillRect(left, top, widthPx * scale, heightPx * scale);
    pen.imageSmoothingEnabled = scale < 2;
    this.wanted = [];
    for (let row = Math.max(0, Math.floor(-top / scale / side)); row * side < heightPx && row * side * scale + top < height; row += 1) {
      for (let column = Math.max(0, Math.floor(-left / scale / side)); column * side < widthPx && column * side * scale + left < width; column += 1) {
        this.drawTile(pen, { level, column, row, left, top, scale });
      }
    }
    this.fetchNext();
  }

  /** The tile itself, else the part of a coarser one that is there. */
  drawTile(pen, { level, column, row, left, top, scale }) {
    const { widthPx, heightPx } = this.view;
    const side = TILE_PX * 2 ** level;
    const [wide, high] = [Math.min(side, widthPx - column * side), Math.min(side, heightPx - row * side)];
    const to = [left + column * side * scale, top + row * side * scale, wide * scale, high * scale];
    for (let coarser = level; coarser <= this.levels; coarser += 1) {
      const step = 2 ** (coarser - level);
      const name = `${coarser}/${Math.floor(column / step)}/${Math.floor(row / step)}`;
      const picture = this.tiles.get(name);
      if (picture?.complete && picture.naturalWidth) {
        this.tiles.delete(name); // to the end: what is used longest ago goes first
        this.tiles.set(name, picture);
        const reduced = 2 ** coarser;
        const [fromX, fromY] = [(column * side - Math.floor(column / step) * side * step) / reduced, (row * side - Math.floor(row / step) * side * step) / reduced];
        pen.drawImage(picture, fromX, fromY, Math.min(wide / reduced, picture.naturalWidth - fromX), Math.min(high / reduced, picture.naturalHeight - fromY), ...to);
        if (coarser === level) return;
        break;
      }
    }
    const name = `${level}/${column}/${row}`;
    if (!this.tiles.has(name)) this.wanted.push(name);
  }

  fetchNext() {
    while (this.loading < AT_ONCE && this.wanted.length) {
      const name = this.wanted.shift();
      const picture = new Image();
      this.tiles.set(name, picture);
      this.loading += 1;
      const done = () => {
        this.loading -= 1;
        while (this.tiles.size > KEPT_TILES) this.tiles.delete(this.tiles.keys().next().value);
        this.redraw();
      };
      picture.addEventListener("load", done);
      picture.addEventListener("error", done);
      picture.src = `/api/scans/${this.scan}/tiles/${name}?run=${this.run}`;
    }
  }

  drawObjects(pen, { left, top, scale, width, height }) {
    const styles = { single: token("--box"), multiple: token("--box-other"), halo: token("--halo") };
    for (const row of this.rows) {
      const [x, y] = [left + row.x_px * scale, top + row.y_px * scale];
      const [wide, high] = [row.width_px * scale, row.height_px * scale];
      if (x > width || y > height || x + wide < 0 || y + high < 0) continue;
      const stands = this.standsAs(row);
      const isHere = row.key === this.here;
      pen.setLineDash(stands === "multiple" ? [5, 3] : []);
      if (scale < MULTIPLES_BELOW && !isHere && stands !== "multiple") continue;
      if (scale < BOXES_BELOW && !isHere) {
        pen.strokeStyle = styles.halo;
        pen.lineWidth = 1;
        pen.strokeRect(x - 0.5, y - 0.5, Math.max(wide, 2) + 1, Math.max(high, 2) + 1);
        continue;
      }
      this.drawOutline(pen, row, { x, y, scale, styles, stands, isHere });
    }
    pen.setLineDash([]);
  }

  drawOutline(pen, row, { x, y, scale, styles, stands, isHere }) {
    if (isHere) {
      pen.setLineDash([]);
      for (const [style, wide] of [[styles.halo, 5], [styles.single, 3]]) {
        pen.strokeStyle = style;
        pen.lineWidth = wide;
        pen.strokeRect(x - 5, y - 5, row.width_px * scale + 10, row.height_px * scale + 10);
      }
      pen.setLineDash(stands === "multiple" ? [5, 3] : []);
    }
    const outline = this.outlines.get(row.key);
    if (!outline) return;
    if (!this.paths.has(row.key)) this.paths.set(row.key, pathOf(outline));
    pen.save();
    pen.translate(x, y);
    pen.scale(scale, scale);
    pen.setLineDash(stands === "multiple" ? [5 / scale, 3 / scale] : []);
    for (const [style, wide] of [[styles.halo, 3], [styles[stands], 1.5]]) {
      pen.strokeStyle = style;
      pen.lineWidth = wide / scale;
      pen.stroke(this.paths.get(row.key));
    }
    pen.restore();
  }
}
