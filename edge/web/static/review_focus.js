// The whole frame of an opening with its box; left and right lead along its frames, the order of the review stays.
import { clockOf, systemOf, verdictOf } from "./review_grid.js";

const el = (id) => document.getElementById(id);

export class Focus {
  constructor() {
    this.row = null;
    this.facts = null;
    this.number = 0;
    el("focus-close").addEventListener("click", () => this.close());
    addEventListener("resize", () => this.box());
    el("focus-picture").addEventListener("load", () => this.box());
    el("focus-picture").addEventListener("error", () => this.trouble("This frame cannot be read."));
  }

  get isOpen() {
    return el("focus").open;
  }

  open(row) {
    if (!row) return;
    el("focus").showModal();
    this.show(row);
  }

  close() {
    el("focus").close();
  }

  async show(row) {
    if (!row) return;
    el("focus-title").textContent = `Opening ${row.ordinal}, ${clockOf(row.at_s)}`;
    el("focus-state").textContent = `${Math.round(row.confidence * 100)} % · ${systemOf(row)} · ${verdictOf(row)}`;
    if (this.row?.id === row.id) return;
    this.row = row;
    this.facts = null;
    this.trouble("");
    const answer = await fetch(`/api/openings/${row.id}/frames`);
    const content = await answer.json();
    if (this.row !== row) return;
    if (!answer.ok) return this.trouble(content.message);
    this.facts = content;
    this.number = content.boxes.reduce((best, box, index) => (box.score > content.boxes[best].score ? index : best), 0);
    this.picture();
  }

  step(by) {
    if (!this.facts) return;
    this.number = Math.min(Math.max(this.number + by, 0), this.facts.boxes.length - 1);
    this.picture();
  }

  picture() {
    const box = this.facts.boxes[this.number];
    el("focus-frame").textContent = `frame ${this.number + 1} of ${this.facts.boxes.length} · ${clockOf(box.at_s)} · score ${box.score.toFixed(2)}`;
    el("focus-picture").src = `/api/openings/${this.row.id}/frames/${this.number}`;
    this.box();
  }

  /** The box over the picture, which is shown whole in the middle of the stage. */
  box() {
    const marks = el("focus-marks");
    const shown = marks.getBoundingClientRect();
    if (!this.facts?.width_px || !shown.width) return;
    const scale = Math.min(shown.width / this.facts.width_px, shown.height / this.facts.height_px);
    const left = (shown.width - scale * this.facts.width_px) / 2;
    const top = (shown.height - scale * this.facts.height_px) / 2;
    const box = this.facts.boxes[this.number];
    for (const rect of marks.children) {
      rect.setAttribute("x", left + box.x_min_px * scale - 3);
      rect.setAttribute("y", top + box.y_min_px * scale - 3);
      rect.setAttribute("width", (box.x_max_px - box.x_min_px) * scale + 6);
      rect.setAttribute("height", (box.y_max_px - box.y_min_px) * scale + 6);
    }
  }

  trouble(words) {
    el("focus-trouble").textContent = words;
    el("focus-trouble").hidden = !words;
  }
}
