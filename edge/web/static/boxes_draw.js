// Draws boxes under review: a state is told by the stroke's pattern and a sign as well as by its colour.
// Model solid, confirmed solid with a tick, moved with the model's own box dotted, a person's dashed, rejected crossed out, candidate dotted.

export const HANDLE_PX = 14; // on the screen, at any zoom
const LEAST_PX = 52; // a box that is smaller on the screen has its handles around a frame of this size, so that it can be taken itself

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PATTERNS = { person: [9, 5], candidate: [2, 4], rejected: [2, 3] };
const COLOURS = { confirmed: "--box-right", moved: "--box-right", relabelled: "--box-right", person: "--box-person", rejected: "--box-gone" };
const HANDLES = { nw: [0, 0], n: [0.5, 0], ne: [1, 0], e: [1, 0.5], se: [1, 1], s: [0.5, 1], sw: [0, 1], w: [0, 0.5] };

/** A box on the screen: x, y, width, height. */
export function onScreen(box, { left, top, scale }) {
  return { x: left + box[0] * scale, y: top + box[1] * scale, width: (box[2] - box[0]) * scale, height: (box[3] - box[1]) * scale };
}

function grown(place, leastPx) {
  const dx = Math.max(0, leastPx - place.width) / 2;
  const dy = Math.max(0, leastPx - place.height) / 2;
  return { x: place.x - dx, y: place.y - dy, width: place.width + 2 * dx, height: place.height + 2 * dy };
}

/** The handles of a box on the screen: [name, x, y]. */
export function handlesOf(box, placing) {
  const place = grown(onScreen(box, placing), LEAST_PX);
  return Object.entries(HANDLES).map(([name, [fx, fy]]) => [name, place.x + fx * place.width, place.y + fy * place.height]);
}

/** Whether a point of the screen lies on a box, or so near that a hand on a rolling ship means it. */
export function isOn(box, point, placing) {
  const { x, y, width, height } = grown(onScreen(box, placing), 24);
  return point.x >= x - 4 && point.x <= x + width + 4 && point.y >= y - 4 && point.y <= y + height + 4;
}

export function drawBoxes(pen, placing, boxes, { shown, selected, labels, ghost }) {
  const halo = token("--halo");
  for (const entry of shown) {
    const kind = boxes.kind(entry);
    const isChosen = entry.key === selected;
    const colour = token(COLOURS[kind] ?? "--box");
    if (kind === "moved" && isChosen) stroke(pen, onScreen(entry.model.box, placing), { halo, colour, widthPx: 1, pattern: [2, 4] });
    const place = onScreen(entry.now.box, placing);
    const widthPx = isChosen ? 3.5 : kind === "candidate" || kind === "rejected" ? 1.5 : 2;
    stroke(pen, place, { halo, colour, widthPx, pattern: PATTERNS[kind] ?? [] });
    if (kind === "rejected") lines(pen, { halo, colour, widthPx: isChosen ? 3 : 1.5 }, crossOf(place));
    if (["confirmed", "moved", "relabelled"].includes(kind)) lines(pen, { halo, colour, widthPx: 2.5 }, tickOf(place));
    if (isChosen && kind !== "rejected") drawHandles(pen, entry.now.box, placing, { halo, colour });
    const words = `${entry.now.label}${entry.score === null ? "" : ` ${entry.score.toFixed(2)}`}`;
    if (labels || isChosen) drawLabel(pen, isChosen ? grown(place, LEAST_PX) : place, words, { halo, colour });
  }
  if (ghost) stroke(pen, onScreen(ghost, placing), { halo, colour: token("--box-person"), widthPx: 2.5, pattern: PATTERNS.person });
}

function stroke(pen, { x, y, width, height }, { halo, colour, widthPx, pattern }) {
  pen.setLineDash([]);
  pen.strokeStyle = halo;
  pen.lineWidth = widthPx + 2;
  pen.strokeRect(x, y, width, height);
  pen.setLineDash(pattern);
  pen.strokeStyle = colour;
  pen.lineWidth = widthPx;
  pen.strokeRect(x, y, width, height);
  pen.setLineDash([]);
}

const crossOf = ({ x, y, width, height }) => [[[x, y], [x + width, y + height]], [[x + width, y], [x, y + height]]];
const tickOf = ({ x, y, width }) => [[[x + width + 9, y - 4], [x + width + 13, y], [x + width + 21, y - 10]]];

function lines(pen, { halo, colour, widthPx }, paths) {
  for (const [style, more] of [[halo, 2], [colour, 0]]) {
    pen.strokeStyle = style;
    pen.lineWidth = widthPx + more;
    pen.beginPath();
    for (const [first, ...rest] of paths) {
      pen.moveTo(...first);
      for (const point of rest) pen.lineTo(...point);
    }
    pen.stroke();
  }
}

function drawHandles(pen, box, placing, { halo, colour }) {
  const frame = grown(onScreen(box, placing), LEAST_PX);
  if (frame.width > onScreen(box, placing).width || frame.height > onScreen(box, placing).height) {
    stroke(pen, frame, { halo, colour, widthPx: 0.75, pattern: [1, 3] });
  }
  for (const [, x, y] of handlesOf(box, placing)) {
    pen.fillStyle = halo;
    pen.fillRect(x - HANDLE_PX / 2 - 1, y - HANDLE_PX / 2 - 1, HANDLE_PX + 2, HANDLE_PX + 2);
    pen.fillStyle = colour;
    pen.fillRect(x - HANDLE_PX / 2, y - HANDLE_PX / 2, HANDLE_PX, HANDLE_PX);
    pen.fillStyle = halo;
    pen.fillRect(x - 2, y - 2, 4, 4);
  }
}

function drawLabel(pen, { x, y }, text, { halo, colour }) {
  pen.font = '13px "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif';
  pen.fillStyle = halo;
  pen.fillRect(x - 1, y - 27, pen.measureText(text).width + 8, 18);
  pen.fillStyle = colour;
  pen.fillText(text, x + 3, y - 13);
}
