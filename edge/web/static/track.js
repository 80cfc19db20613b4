// Sends a log, and lets laser dots be clicked on a still: by pointer or by keyboard, at any magnification.

import { writeHeaders } from "/static/csrf.js";

const upload = document.getElementById("track-upload");

function note(text, refused) {
  const place = document.getElementById("track-note");
  place.hidden = false;
  place.textContent = text;
  place.classList.toggle("refused", refused);
}

async function send(form) {
  const file = form.elements.log.files[0];
  const asked = new URLSearchParams({ name: file.name.slice(0, 200), source: form.elements.source.value });
  if (form.elements.stream.value.trim()) asked.set("stream", form.elements.stream.value.trim());
  asked.set("time_offset_s", form.elements.time_offset_s.value.trim().replace(",", ".") || "0");
  note(`Sending ${(file.size / 1048576).toFixed(1)} MiB and reading it. A log of a whole leg takes minutes.`, false);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(`/api/tows/${form.dataset.tow}/tracks/upload?${asked}`, { method: "POST", headers: writeHeaders(), body: file });
    const body = await answer.json();
    if (answer.ok) location.reload();
    else note(`Not imported: ${body.message}. ${body.advice}`, true);
  } catch {
    note("Not sent: the link to the appliance was lost, or it refused the size. Try again, or give the log as a path.", true);
  } finally {
    button.disabled = false;
  }
}

if (upload) {
  upload.hidden = false;
  upload.addEventListener("submit", (event) => {
    event.preventDefault();
    if (upload.elements.log.files.length) send(upload);
  });
}

const form = document.getElementById("laser-form");
const canvas = document.getElementById("laser-canvas");
const dots = [null, null];
const picture = new Image();
let scale = 0;
let moving = 0;

function fitted() {
  return Math.min(1, document.getElementById("laser-well").clientWidth / picture.naturalWidth);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

function draw() {
  if (!picture.naturalWidth) return;
  canvas.width = Math.round(picture.naturalWidth * scale);
  canvas.height = Math.round(picture.naturalHeight * scale);
  const pen = canvas.getContext("2d");
  const red = document.documentElement.dataset.mode === "red";
  pen.filter = red ? "grayscale(1)" : "none";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.filter = "none";
  if (red) {
    pen.globalCompositeOperation = "multiply";
    pen.fillStyle = "#ff0000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.globalCompositeOperation = "source-over";
  }
  const row = Number(form.elements.row_height.value.replace(",", "."));
  for (const [width, name] of [[4, "--halo"], [2, "--box-other"]]) {
    pen.lineWidth = width;
    pen.strokeStyle = colour(name);
    pen.beginPath();
    if (row > 0 && row <= 1) {
      pen.moveTo(0, row * canvas.height);
      pen.lineTo(canvas.width, row * canvas.height);
    }
    pen.stroke();
    if (name === "--box-other") pen.strokeStyle = colour("--box");
    dots.forEach((dot, place) => dot && cross(pen, dot, place));
  }
  tell();
}

function cross(pen, dot, place) {
  const [x, y] = [dot[0] * scale, dot[1] * scale];
  const size = place === moving ? 14 : 9;
  pen.beginPath();
  pen.moveTo(x - size, y);
  pen.lineTo(x - 3, y);
  pen.moveTo(x + 3, y);
  pen.lineTo(x + size, y);
  pen.moveTo(x, y - size);
  pen.lineTo(x, y - 3);
  pen.moveTo(x, y + 3);
  pen.lineTo(x, y + size);
  pen.stroke();
}

function tell() {
  const place = document.getElementById("laser-note");
  const names = ["left_x", "left_y", "right_x", "right_y"];
  // Parts of the width and height: a large still is shown smaller than it is.
  const values = dots.flatMap((dot) => (dot ? [dot[0] / picture.naturalWidth, dot[1] / picture.naturalHeight] : [null, null]));
  names.forEach((name, at) => (form.elements[name].value = values[at] === null ? "" : values[at].toFixed(7)));
  const both = dots[0] && dots[1];
  document.getElementById("laser-take").disabled = !both;
  if (!both) {
    place.textContent = `Click ${dots[0] ? "the second dot" : "the two dots of one pair of lasers"}.`;
    return;
  }
  const gapPx = Math.hypot(dots[1][0] - dots[0][0], dots[1][1] - dots[0][1]);
  const gapM = Number(form.elements.gap_m.value.replace(",", "."));
  const row = (dots[0][1] + dots[1][1]) / 2 / picture.naturalHeight;
  const width = gapM > 0 ? `, a view ${((gapM / gapPx) * picture.naturalWidth).toFixed(3)} m wide` : "; type the gap for the width";
  place.textContent = `${gapPx.toFixed(1)} px between the dots${width}; they lie at ${row.toFixed(2)} of the height.`;
}

function zoom(factor) {
  scale = Math.min(Math.max(scale * factor, fitted()), 6);
  draw();
}

function put(at) {
  if (!dots[0]) moving = 0;
  else if (!dots[1]) moving = 1;
  else moving = distance(dots[0], at) <= distance(dots[1], at) ? 0 : 1;
  dots[moving] = at;
  draw();
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in MOVES) {
    const step = event.shiftKey ? 20 : 1;
    const from = dots[moving] ?? [picture.naturalWidth * (moving ? 0.75 : 0.25), picture.naturalHeight * 0.8];
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    const to = [from[0] + MOVES[event.key][0] * step, from[1] + MOVES[event.key][1] * step];
    dots[moving] = [inside(to[0], picture.naturalWidth), inside(to[1], picture.naturalHeight)];
    draw();
  } else if (event.key === "1" || event.key === "2") {
    moving = Number(event.key) - 1;
    draw();
  } else if (event.key === "+") zoom(1.5);
  else if (event.key === "-") zoom(1 / 1.5);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function load() {
  dots[0] = dots[1] = null;
  picture.src = `/api/files/${form.elements.file.value}/picture`;
}

if (form) {
  picture.addEventListener("load", () => {
    scale = fitted();
    draw();
  });
  document.getElementById("lasers").addEventListener("toggle", () => picture.src || load());
  form.elements.file.addEventListener("change", load);
  form.addEventListener("input", draw);
  document.addEventListener("modechange", draw);
  form.addEventListener("submit", () => {
    const still = form.elements.file.selectedOptions[0].textContent;
    form.elements.source.value = `laser dots clicked on the still at ${still}; gap from ${form.elements.gap_source.value}`.slice(0, 500);
  });
  canvas.addEventListener("pointerdown", (event) => {
    const box = canvas.getBoundingClientRect();
    put([(event.clientX - box.left) / scale, (event.clientY - box.top) / scale]);
  });
  document.getElementById("laser-well").addEventListener("keydown", press);
  document.getElementById("laser-larger").addEventListener("click", () => zoom(1.5));
  document.getElementById("laser-smaller").addEventListener("click", () => zoom(1 / 1.5));
}
