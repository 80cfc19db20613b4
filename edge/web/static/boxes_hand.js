// The hand on the boxes: draws on empty seabed, selects, moves, and resizes by eight handles. Space and the middle button pan.

import { handlesOf, HANDLE_PX, isOn } from "/static/boxes_draw.js";

const SLACK_PX = { mouse: 4, pen: 6, touch: 9 }; // a press that moves less is a click: on a rolling ship no hand is still
const LEAST_SIDE_PX = 2; // of the image
const LEAST_DRAWN_PX = 6; // on the screen

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The box moved by image pixels, as far as the image goes. */
export function movedBox(box, dx, dy, { widthPx, heightPx }) {
  const right = clamp(dx, -box[0], widthPx - box[2]);
  const down = clamp(dy, -box[1], heightPx - box[3]);
  return [box[0] + right, box[1] + down, box[2] + right, box[3] + down];
}

/** The box with the edges of a handle, such as "ne", moved by image pixels; never inside out, never out of the image. */
export function resizedBox(box, handle, dx, dy, { widthPx, heightPx }) {
  const [x0, y0, x1, y1] = box;
  return [
    handle.includes("w") ? clamp(x0 + dx, 0, x1 - LEAST_SIDE_PX) : x0,
    handle.includes("n") ? clamp(y0 + dy, 0, y1 - LEAST_SIDE_PX) : y0,
    handle.includes("e") ? clamp(x1 + dx, x0 + LEAST_SIDE_PX, widthPx) : x1,
    handle.includes("s") ? clamp(y1 + dy, y0 + LEAST_SIDE_PX, heightPx) : y1,
  ];
}

const rounded = (box) => box.map((value) => Math.round(value * 100) / 100);

export class Hand {
  /** `desk` has boxes, selected, shown(), select(key), change(key, box), draw(box), redraw(); `view` is where the image lies. */
  constructor(canvas, view, desk) {
    Object.assign(this, { canvas, view, desk });
    this.drag = null;
    this.panning = false; // while Space is held
    this.ghost = null; // the box that is being drawn
    canvas.addEventListener("pointermove", (event) => this.hover(event));
  }

  placing() {
    const { scale, centre } = this.view;
    return { left: this.canvas.clientWidth / 2 - centre.x * scale, top: this.canvas.clientHeight / 2 - centre.y * scale, scale };
  }

  at(event) {
    const place = this.canvas.getBoundingClientRect();
    return { x: event.clientX - place.left, y: event.clientY - place.top };
  }

  /** What lies under a point: {handle} of the selected box, {key} of the smallest box there, or nothing. */
  under(point, pointerType) {
    const { boxes, selected } = this.desk;
    const placing = this.placing();
    const chosen = selected && boxes.find(selected);
    if (chosen && boxes.kind(chosen) !== "rejected") {
      const reach = HANDLE_PX / 2 + (pointerType === "touch" ? 9 : 4);
      for (const [handle, x, y] of handlesOf(chosen.now.box, placing)) {
        if (Math.abs(point.x - x) <= reach && Math.abs(point.y - y) <= reach) return { handle, key: selected };
      }
      if (isOn(chosen.now.box, point, placing)) return { key: selected };
    }
    const area = ({ now: { box } }) => (box[2] - box[0]) * (box[3] - box[1]);
    const hits = this.desk.shown().filter((entry) => isOn(entry.now.box, point, placing));
    hits.sort((one, other) => boxes.stands(other) - boxes.stands(one) || area(one) - area(other));
    return hits.length ? { key: hits[0].key } : {};
  }

  /** A pointer went down: whether it works on the boxes; else it pans. */
  down(event) {
    if (!this.desk.on || this.panning || event.button !== 0) return false;
    const point = this.at(event);
    const { handle, key } = event.shiftKey ? {} : this.under(point, event.pointerType);
    const entry = key && this.desk.boxes.find(key);
    const what = handle ? "resize" : entry && this.desk.boxes.stands(entry) ? "move" : "draw";
    this.drag = { id: event.pointerId, what, handle, key, from: point, box: entry?.now.box, begun: false, slack: SLACK_PX[event.pointerType] ?? 4 };
    return true;
  }

  move(event) {
    const { drag } = this;
    if (!drag || drag.id !== event.pointerId) return;
    const point = this.at(event);
    const dx = point.x - drag.from.x;
    const dy = point.y - drag.from.y;
    if (!drag.begun && Math.hypot(dx, dy) < drag.slack) return;
    if (!drag.begun && drag.what !== "draw") this.desk.select(drag.key);
    drag.begun = true;
    const { scale } = this.view;
    if (drag.what === "draw") this.ghost = this.drawn(drag.from, point);
    else if (drag.what === "move") this.ghost = rounded(movedBox(drag.box, dx / scale, dy / scale, this.view));
    else this.ghost = rounded(resizedBox(drag.box, drag.handle, dx / scale, dy / scale, this.view));
    this.desk.redraw();
  }

  up(event) {
    const { drag, ghost } = this;
    if (!drag || drag.id !== event.pointerId) return;
    this.cancel();
    if (!drag.begun) this.desk.select(drag.key ?? null);
    else if (drag.what !== "draw") this.desk.change(drag.key, ghost);
    else if (ghost && Math.min(ghost[2] - ghost[0], ghost[3] - ghost[1]) * this.view.scale >= LEAST_DRAWN_PX) this.desk.draw(ghost);
  }

  /** Let a drag be as if it had not begun. Whether there was one. */
  cancel() {
    const was = this.drag !== null;
    this.drag = this.ghost = null;
    this.desk.redraw();
    return was;
  }

  drawn(from, to) {
    const { left, top, scale } = this.placing();
    const x = [from.x, to.x].map((value) => clamp((value - left) / scale, 0, this.view.widthPx)).sort((a, b) => a - b);
    const y = [from.y, to.y].map((value) => clamp((value - top) / scale, 0, this.view.heightPx)).sort((a, b) => a - b);
    if (x[1] - x[0] < LEAST_SIDE_PX || y[1] - y[0] < LEAST_SIDE_PX) return null;
    return rounded([x[0], y[0], x[1], y[1]]);
  }

  hover(event) {
    if (!this.desk.on || this.drag) return;
    const { handle, key } = this.under(this.at(event), event.pointerType);
    const over = this.panning ? "pan" : event.shiftKey ? "draw" : (handle ?? (key ? "box" : "draw"));
    if (this.canvas.dataset.over !== over) this.canvas.dataset.over = over;
  }
}
