// Draws the counting page: the frame with its line and own marks, the clock, the timeline, the minutes.

import { FEATURES, minuteOf } from "/static/count_marks.js";

const CLOCK_PART = 0.035; // the burnt-in text stands in the top 22 of 630 to 720 rows
const SHOWN_AFTER_S = 0.9; // own marks fade while what they mark leaves the frame

/** A second of the tow as it stands in the bar: 01:02.3. */
export function clockWords(seconds) {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}.${Math.floor((seconds % 1) * 10)}`;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class View {
  constructor(rules, lastS) {
    this.canvas = document.getElementById("frame");
    this.pen = this.canvas.getContext("2d");
    this.clock = document.getElementById("clock");
    this.timeline = document.getElementById("timeline");
    this.line = rules.line_height;
    this.first = rules.first_minute;
    this.last = rules.last_minute;
    this.endS = Math.max(lastS, rules.last_minute * 60);
    this.contrast = 1;
    this.fills = true;
    this.picture = null;
  }

  /** Where the picture is on the canvas: the whole width with its bottom in view, or all of it. */
  place() {
    const { width, height } = this.canvas;
    const picture = this.picture;
    if (!picture) return { x: 0, y: 0, width, height };
    const scale = this.fills ? width / picture.width : Math.min(width / picture.width, height / picture.height);
    const drawn = { width: picture.width * scale, height: picture.height * scale };
    const y = drawn.height > height ? height - drawn.height : (height - drawn.height) / 2;
    return { x: (width - drawn.width) / 2, y, ...drawn };
  }

  /** A pointer's place as parts of the frame, or null outside of it. */
  partsOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = this.place();
    const x = (((event.clientX - box.left) / box.width) * this.canvas.width - at.x) / at.width;
    const y = (((event.clientY - box.top) / box.height) * this.canvas.height - at.y) / at.height;
    return x >= 0 && x <= 1 && y >= 0 && y <= 1 ? [x, y] : null;
  }

  fit() {
    const sharp = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.timeline]) {
      const box = canvas.getBoundingClientRect();
      canvas.width = Math.max(1, Math.round(box.width * sharp));
      canvas.height = Math.max(1, Math.round(box.height * sharp));
    }
  }

  draw(picture, atS, marks) {
    this.picture = picture ?? this.picture;
    const { pen } = this;
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.picture) return;
    const at = this.place();
    const contrast = this.contrast === 1 ? "" : `contrast(${this.contrast})`;
    this.paint(pen, contrast, () => pen.drawImage(this.picture, at.x, at.y, at.width, at.height));
    this.drawLine(at);
    for (const mark of marks) this.drawMark(mark, at, atS);
    this.drawClock();
  }

  /** In the red night mode a picture has its light in red only; marks are drawn over it in the mode's own colours. */
  paint(pen, filter, draw) {
    const red = document.documentElement.dataset.mode === "red";
    pen.filter = `${filter} ${red ? "grayscale(1)" : ""}`.trim() || "none";
    draw();
    pen.filter = "none";
    if (!red) return;
    pen.globalCompositeOperation = "multiply";
    pen.fillStyle = "#ff0000";
    pen.fillRect(0, 0, pen.canvas.width, pen.canvas.height);
    pen.globalCompositeOperation = "source-over";
  }

  drawLine(at) {
    const y = at.y + this.line * at.height;
    this.pen.lineWidth = 3;
    this.pen.strokeStyle = colour("--halo");
    this.stroke(at.x, y, at.x + at.width);
    this.pen.lineWidth = 1.4;
    this.pen.strokeStyle = colour("--box");
    this.stroke(at.x, y, at.x + at.width);
  }

  stroke(x, y, to) {
    this.pen.beginPath();
    this.pen.moveTo(x, y);
    this.pen.lineTo(to, y);
    this.pen.stroke();
  }

  drawMark([markS, , feature, x, y], at, atS) {
    const age = Math.abs(atS - markS);
    if (age > SHOWN_AFTER_S || x === null) return;
    const { pen } = this;
    const px = at.x + x * at.width;
    const py = at.y + y * at.height;
    pen.globalAlpha = 1 - age / SHOWN_AFTER_S / 1.2;
    for (const [width, ink] of [[5, "--halo"], [2.5, "--box"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour(ink);
      pen.beginPath();
      if (feature === "system") pen.arc(px, py, 16, 0, 7);
      else pen.rect(px - 13, py - 13, 26, 26);
      pen.stroke();
    }
    if (feature !== "system") {
      pen.font = "600 15px sans-serif";
      pen.lineWidth = 4;
      pen.lineJoin = "round";
      pen.strokeStyle = colour("--halo");
      pen.strokeText(FEATURES[feature], px + 18, py + 5);
      pen.fillStyle = colour("--box");
      pen.fillText(FEATURES[feature], px + 18, py + 5);
    }
    pen.globalAlpha = 1;
  }

  /** The text that the camera burnt in, beside the computed time. */
  drawClock() {
    const rows = Math.max(12, Math.round(this.picture.height * CLOCK_PART));
    const columns = Math.min(this.picture.width, rows * 16);
    if (this.clock.height !== rows || this.clock.width !== columns) Object.assign(this.clock, { height: rows, width: columns });
    const pen = this.clock.getContext("2d");
    this.paint(pen, "", () => pen.drawImage(this.picture, 0, 0, columns, rows, 0, 0, columns, rows));
  }

  secondAt(event) {
    const box = this.timeline.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.endS;
  }

  drawTimeline(atS, content) {
    const pen = this.timeline.getContext("2d");
    const { width, height } = this.timeline;
    const x = (seconds) => (seconds / this.endS) * width;
    pen.fillStyle = colour("--panel");
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = colour("--hover");
    pen.fillRect(x((this.first - 1) * 60), 0, x(this.last * 60) - x((this.first - 1) * 60), height);
    pen.fillStyle = colour("--muted");
    for (const [from, to] of content.seen) pen.fillRect(x(from), height * 0.86, Math.max(1, x(to) - x(from)), height * 0.14);
    pen.fillStyle = colour("--alarm");
    for (const [from, to] of content.lost) pen.fillRect(x(from), 0, Math.max(2, x(to) - x(from)), height * 0.2);
    pen.strokeStyle = colour("--line");
    for (let minute = 1; minute * 60 < this.endS; minute += 1) this.tick(pen, x(minute * 60), 0, height, 1);
    pen.strokeStyle = colour("--accent");
    for (const mark of content.marks) this.tick(pen, x(mark[0]), height * (mark[2] === "system" ? 0.3 : 0.55), height * 0.8, 1.5);
    pen.strokeStyle = colour("--ink");
    this.tick(pen, x(atS), 0, height, 3);
  }

  tick(pen, x, from, to, width) {
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(x, from);
    pen.lineTo(x, to);
    pen.stroke();
  }

  /** One button a minute: its number, own systems, seconds lost. */
  showMinutes(marks, atS, go) {
    const box = document.getElementById("ticks");
    const count = Math.ceil(this.endS / 60);
    if (box.children.length !== count) {
      box.replaceChildren(...Array.from({ length: count }, (_, place) => this.minuteButton(place + 1, go)));
    }
    for (const [place, button] of [...box.children].entries()) {
      const minute = place + 1;
      const inside = minute >= this.first && minute <= this.last;
      const systems = marks.systemsIn(minute);
      const lost = marks.lostIn(minute);
      const words = [`min ${minute}`, systems === null ? "–" : String(systems), lost ? `${lost < 9.95 ? lost.toFixed(1) : Math.round(lost)} s lost` : inside ? "" : "outside"];
      for (const [index, word] of words.entries()) if (button.children[index].textContent !== word) button.children[index].textContent = word;
      button.classList.toggle("inside", inside);
      button.toggleAttribute("data-note", Boolean(marks.state.notes[minute]));
      if (minute === minuteOf(atS)) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  minuteButton(minute, go) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(document.createElement("small"), document.createElement("b"), document.createElement("small"));
    button.addEventListener("click", () => go((minute - 1) * 60));
    return button;
  }
}
