// The box editor of the image page: E begins it. What people decide stands beside what the model found, never over it.

import { drawBoxes } from "/static/boxes_draw.js";
import { Hand, movedBox, resizedBox } from "/static/boxes_hand.js";
import { BoxList } from "/static/boxes_list.js";
import { BoxSaving } from "/static/boxes_save.js";
import { Boxes } from "/static/boxes_state.js";
import { keepView, keptView } from "/static/kept.js";
import { isTyping } from "/static/keys.js";

const TYPICAL_PX = 48; // a new box where there is no other to take the size of
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Editor {
  /** `panel` is the list beside the picture; `view` and `main` are the page's view and viewer; `threshold()` its slider's value. */
  constructor({ panel, canvas, view, main, threshold }) {
    Object.assign(this, { panel, canvas, view, main, threshold });
    this.on = false;
    this.boxes = null;
    this.saving = null;
    this.selected = null;
    this.label = null; // of the next box that is drawn: the last that was chosen
    this.lastG = -Infinity;
    this.hand = new Hand(canvas, view, this);
    this.list = new BoxList(panel, this);
    this.keys = this.bindings();
    window.addEventListener("keydown", (event) => this.press(event), true);
    window.addEventListener("keyup", (event) => event.key === " " && this.setPanning(false), true);
    window.addEventListener("blur", () => this.setPanning(false));
    window.addEventListener("beforeunload", (event) => this.saving?.unsaved && event.preventDefault());
    document.addEventListener("click", (event) => this.leave(event), true);
    panel.querySelector("[data-newest]")?.addEventListener("click", (event) => this.turnTo(event.currentTarget));
    this.start = this.begin(keptView().editing === true);
  }

  // Beginning, and what this browser kept ---------------------------------------------------------------------------

  async begin(editing) {
    const waiting = Object.keys(localStorageSafe()).some((name) => name.startsWith("boxes/"));
    if (editing) await this.toggle();
    else if (waiting) await this.load(); // what was not saved last time is sent though nobody edits
  }

  async load() {
    try {
      const answer = await this.fetch(this.panel.dataset.run);
      this.boxes = new Boxes(answer);
      this.label ??= this.boxes.labels[0] ?? "object";
      this.saving = new BoxSaving({
        file: this.panel.dataset.file, boxes: this.boxes, show: (...told) => this.list.tell(...told),
        onOutdated: () => this.offer(), onSaved: () => this.list.show(),
      });
      await this.takeUpKept();
      return true;
    } catch (error) {
      this.list.tell("bad", `the boxes cannot be edited: ${error.message}`);
      return false;
    }
  }

  async fetch(run) {
    const answer = await fetch(`/api/files/${this.panel.dataset.file}/reviewed-objects?candidates=true&run=${encodeURIComponent(run)}`);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.message || `the appliance answered ${answer.status}`);
    return told;
  }

  async takeUpKept() {
    const kept = this.saving.kept();
    if (!kept) return;
    let answered = true;
    if (kept.body) {
      answered = (await this.saving.post(kept.body).catch(() => null))?.ok ?? false; // once more, to the letter
      this.boxes.take(await this.fetch(this.boxes.run));
    }
    if (kept.revision === this.boxes.revision || (kept.body && answered)) this.putOnTop(kept);
    else this.list.ask(kept.states.length, () => this.putOnTop(kept), () => this.drop());
  }

  putOnTop(kept) {
    const changed = this.boxes.putOnTop(kept.states);
    if (kept.isReviewed) this.boxes.review(true);
    this.saving.over = false;
    if (!this.boxes.unsaved) this.saving.forget();
    else this.list.tell("waiting", `${changed} unsaved changes of this browser were taken up`);
    this.acted();
  }

  drop() {
    this.saving.over = false;
    this.saving.forget();
    this.list.tell("good", "the changes that were not saved are dropped");
    this.acted();
  }

  /** Somebody else decided something since: theirs is shown, with a choice what becomes of one's own. */
  async offer() {
    const kept = { states: this.boxes.kept(), isReviewed: this.boxes.isReviewed };
    try {
      this.boxes.take(await this.fetch(this.boxes.run));
    } catch (error) {
      this.list.tell("bad", `not saved: ${error.message}. Kept in this browser`);
      return;
    }
    this.boxes.done = [];
    this.boxes.undone = [];
    this.list.ask(kept.states.length, () => this.putOnTop(kept), () => this.drop());
    this.refresh();
  }

  async toggle() {
    if (!this.on && !this.boxes && !(await this.load())) return;
    this.on = !this.on;
    this.canvas.hand = this.on ? this.hand : null;
    this.main.painter = this.on ? (pen, placing) => this.paint(pen, placing) : null;
    this.canvas.dataset.over = this.on ? "draw" : "";
    keepView({ editing: this.on });
    if (this.on) this.canvas.focus({ preventScroll: true });
    else this.saving.flush();
    this.refresh();
  }

  /** Review another result of a model; what people added is there, too. The first decision makes it the one that is reviewed. */
  async turnTo(button) {
    if (this.saving && !(await this.saving.flush())) return;
    if (this.on) await this.toggle();
    this.panel.dataset.run = button.dataset.newest;
    this.boxes = this.selected = null;
    button.hidden = true;
    await this.toggle();
  }

  // What is seen ----------------------------------------------------------------------------------------------------

  /** The boxes that are drawn and listed: all that stand or were decided, candidates from the slider's score on. */
  shown() {
    return this.boxes.entries.filter((entry) => {
      const kind = this.boxes.kind(entry);
      if (kind === "gone") return false;
      return kind !== "candidate" || entry.key === this.selected || entry.score >= this.threshold();
    });
  }

  paint(pen, placing) {
    const { drag, ghost } = this.hand;
    const { boxes, selected } = this;
    const shown = this.main.boxes ? this.shown() : this.shown().filter((entry) => entry.key === selected);
    const moving = drag?.begun && drag.what !== "draw" && ghost;
    const drawn = moving ? shown.map((entry) => (entry.key === drag.key ? { ...entry, now: { ...entry.now, box: ghost } } : entry)) : shown;
    drawBoxes(pen, placing, boxes, { shown: drawn, selected, labels: this.main.labels, ghost: moving ? null : ghost });
  }

  redraw() {
    this.main.redraw();
  }

  refresh() {
    this.list.show();
    this.view.changed();
  }

  select(key) {
    if (this.selected === key) return;
    this.selected = key;
    if (key) this.bringIntoView(this.boxes.find(key).now.box);
    this.refresh();
  }

  bringIntoView(box) {
    const { width, height } = this.main.sizePx();
    const { scale, centre } = this.view;
    const x = ((box[0] + box[2]) / 2 - centre.x) * scale;
    const y = ((box[1] + box[3]) / 2 - centre.y) * scale;
    if (Math.abs(x) > width / 2 - 40 || Math.abs(y) > height / 2 - 40) this.view.pan(x, y);
  }

  // What is done ----------------------------------------------------------------------------------------------------

  acted() {
    if (this.selected && (!this.boxes.find(this.selected) || this.boxes.kind(this.boxes.find(this.selected)) === "gone")) this.selected = null;
    this.saving.touch();
    this.refresh();
  }

  get entry() {
    return this.selected ? this.boxes.find(this.selected) : null;
  }

  set(changes, joins = "") {
    const { entry } = this;
    if (entry && this.boxes.act([{ key: entry.key, after: { ...entry.now, ...changes } }], joins)) this.acted();
  }

  change(key, box) {
    this.selected = key;
    if (box) this.set({ box, verdict: "confirmed" });
  }

  draw(box) {
    this.selected = this.boxes.add(box, this.label);
    this.acted();
  }

  /** A new box in the middle of what is seen, of the size of the others. */
  drawHere() {
    const sides = this.boxes.entries.filter((entry) => this.boxes.stands(entry)).map(({ now: { box } }) => Math.max(box[2] - box[0], box[3] - box[1]));
    sides.sort((a, b) => a - b);
    const { widthPx, heightPx, centre } = this.view;
    const half = Math.min(sides.length ? sides[sides.length >> 1] : TYPICAL_PX, widthPx, heightPx) / 2;
    const box = [centre.x - half, centre.y - half, centre.x + half, centre.y + half].map(Math.round);
    this.draw(movedBox(box, 0, 0, this.view));
  }

  remove() {
    const { entry } = this;
    if (!entry) return;
    const next = this.neighbour(1);
    this.set({ verdict: entry.model ? "rejected" : "gone" });
    if (next && next !== entry.key) this.select(next);
  }

  /** The model's box is right as it is, or right again; on to the next about which nobody said anything. */
  confirm() {
    if (!this.entry) return this.select(this.neighbour(1));
    this.set({ verdict: "confirmed" });
    const at = this.shown().indexOf(this.entry);
    const rest = [...this.shown().slice(at + 1), ...this.shown().slice(0, at)];
    const next = rest.find((entry) => this.boxes.kind(entry) === "model");
    if (next) this.select(next.key);
    return undefined;
  }

  /** As the model found it. */
  clear() {
    const { entry } = this;
    if (entry?.model) this.set({ verdict: "none", ...entry.model });
  }

  relabel(label) {
    this.label = label;
    this.set({ label, verdict: "confirmed" });
  }

  neighbour(step) {
    const shown = this.shown();
    if (!shown.length) return null;
    const at = shown.findIndex((entry) => entry.key === this.selected);
    return shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : (at + step + shown.length) % shown.length].key;
  }

  nudge([dx, dy], { shift, resizes }) {
    const by = shift ? 10 : 1;
    const { box } = this.entry.now;
    const after = resizes ? resizedBox(box, "se", dx * by, dy * by, this.view) : movedBox(box, dx * by, dy * by, this.view);
    this.set({ box: after, verdict: "confirmed" }, "nudge");
  }

  back(step) {
    const undone = step();
    if (!undone) return;
    const touched = undone.findLast((change) => change.key !== null);
    if (touched) this.selected = touched.key;
    this.acted();
  }

  review() {
    this.boxes.review(!this.boxes.isReviewed);
    this.acted();
  }

  escape() {
    if (this.list.closeMenu() || this.hand.cancel()) return;
    if (this.selected) this.select(null);
    else this.toggle();
  }

  setPanning(panning) {
    this.hand.panning = panning;
    if (this.on) this.canvas.dataset.over = panning ? "pan" : "draw";
  }

  // Keys ------------------------------------------------------------------------------------------------------------

  bindings() {
    return {
      e: () => this.toggle(),
      n: () => this.select(this.neighbour(1)),
      p: () => this.select(this.neighbour(-1)),
      a: () => this.confirm(),
      c: () => this.clear(),
      d: () => this.drawHere(),
      l: () => this.entry && this.list.openMenu(),
      r: () => this.review(),
      insert: () => this.drawHere(),
      delete: () => this.remove(),
      backspace: () => this.remove(),
      escape: () => this.escape(),
      enter: () => this.saving.flush(),
    };
  }

  press(event) {
    const key = event.key.toLowerCase();
    const afterG = performance.now() - this.lastG < 1500; // keys.js goes to a page
    this.lastG = key === "g" ? performance.now() : -Infinity;
    if (afterG || document.querySelector("dialog[open]")) return;
    const action = this.on ? this.actionOf(event, key) : key === "e" && !isTyping(event) && !event.shiftKey ? this.keys.e : null;
    if (!action) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    action();
  }

  actionOf(event, key) {
    const { target } = event;
    if (target.matches("textarea, select, input:not([type=checkbox], [type=range])")) return null;
    if ((event.ctrlKey || event.metaKey) && key === "z") return () => this.back(() => (event.shiftKey ? this.boxes.redo() : this.boxes.undo()));
    if ((event.ctrlKey || event.metaKey) && key === "y") return () => this.back(() => this.boxes.redo());
    if (Object.hasOwn(ARROWS, event.key)) return this.arrowOf(event);
    if (event.ctrlKey || event.altKey || event.metaKey) return null;
    if (this.list.menuIsOpen && /^[1-9]$/.test(key)) return () => this.list.chooseNumber(Number(key));
    if (key === " ") return target.matches("button, summary, a, input") ? null : () => this.setPanning(true);
    if (key === "enter" && target.matches("button, summary, a")) return null;
    return Object.hasOwn(this.keys, key) ? this.keys[key] : null;
  }

  arrowOf(event) {
    if (event.target.matches("input[type=range]") || event.altKey || !this.entry || this.boxes.kind(this.entry) === "rejected") return null;
    return () => this.nudge(ARROWS[event.key], { shift: event.shiftKey, resizes: event.ctrlKey });
  }

  /** A link of the page waits until what was done is saved; if that fails, the browser asks. */
  leave(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || !this.saving?.unsaved || link.target || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.saving.flush().finally(() => (location.href = link.href));
  }
}

function localStorageSafe() {
  try {
    return localStorage;
  } catch {
    return {};
  }
}
