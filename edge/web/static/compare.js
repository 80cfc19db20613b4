// Where the counters differ: the frame of the place that has the focus, with the mark of the one who made it.

const picture = document.getElementById("pair-picture");
const marks = document.getElementById("pair-marks");
const pair = document.getElementById("pair");
const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes) {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, String(value));
  return one;
}

function draw(link) {
  const y = Number(pair.dataset.line) * 100;
  const found = [shape("line", { class: "lineline", x1: 0, x2: 100, y1: y, y2: y, "vector-effect": "non-scaling-stroke" })];
  if (link.dataset.x !== "") {
    const ratio = picture.naturalWidth / picture.naturalHeight || 1;
    const at = { cx: Number(link.dataset.x) * 100, cy: Number(link.dataset.y) * 100, rx: 2.2, ry: 2.2 * ratio, "vector-effect": "non-scaling-stroke" };
    found.push(shape("ellipse", { class: "halo", ...at }), shape("ellipse", { class: "mine", ...at }));
  }
  marks.replaceChildren(...found);
}

function show(link) {
  if (!link.dataset.picture) return;
  picture.hidden = false;
  picture.alt = `frame at ${link.textContent}`;
  picture.onload = () => draw(link);
  if (picture.getAttribute("src") === link.dataset.picture) draw(link);
  else picture.src = link.dataset.picture;
}

for (const link of document.querySelectorAll("a.differs")) {
  link.addEventListener("focus", () => show(link));
  link.addEventListener("click", (event) => (event.preventDefault(), link.focus(), show(link)));
}
const first = document.querySelector("a.differs");
if (first) show(first);
