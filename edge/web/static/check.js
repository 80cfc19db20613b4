// Minutes counted blind to the model: the frames of the drawn minutes, a mark for each opening that crosses the line, nothing else.

import { Frames } from "/static/count_frames.js";
import { Marks, minuteOf } from "/static/count_marks.js";
import { Saving } from "/static/count_saving.js";
import { hint, signInAddress, tell } from "/static/count_told.js";
import { View, clockWords } from "/static/count_view.js";
import { writeHeaders } from "/static/csrf.js";
import { isTyping } from "/static/keys.js";

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4];
const AGAIN_MS = 3000;
const FRAME_S = 0.08;
const GAP_S = 1.5;
const MINUTE_S = 60;

const root = document.getElementById("counting");
const find = (id) => document.getElementById(id);
const { tow, uuid, who, station } = root.dataset;

/** The counting page's view; its timeline is the minute that is shown, its buttons the minutes that are counted. */
class CheckView extends View {
  constructor(rules) {
    super(rules, 0);
    this.minutes = rules.minutes;
    this.shown = rules.minutes[0];
  }

  secondAt(event) {
    const box = this.timeline.getBoundingClientRect();
    return (this.shown - 1) * MINUTE_S + Math.min(0.999, Math.max(0, (event.clientX - box.left) / box.width)) * MINUTE_S;
  }

  drawTimeline(atS, content) {
    const begin = (this.shown - 1) * MINUTE_S;
    const moved = (seconds) => Math.min(MINUTE_S, Math.max(0, seconds - begin));
    const inside = ([from, to]) => to > begin && from < begin + MINUTE_S;
    const cut = (intervals) => intervals.filter(inside).map(([from, to]) => [moved(from), moved(to)]);
    const marks = content.marks.filter(([at]) => at >= begin && at < begin + MINUTE_S).map(([at, ...rest]) => [at - begin, ...rest]);
    Object.assign(this, { first: 1, last: 1, endS: MINUTE_S });
    super.drawTimeline(moved(atS), { marks, seen: cut(content.seen), lost: cut(content.lost) });
  }

  showMinutes(marks, atS, go) {
    const box = find("ticks");
    if (box.children.length !== this.minutes.length) box.replaceChildren(...this.minutes.map((minute) => this.minuteButton(minute, go)));
    for (const [place, minute] of this.minutes.entries()) {
      const button = box.children[place];
      const unseen = unseenIn(minute, marks);
      const words = [`minute ${minute}`, String(marks.systemsIn(minute)), unseen > 5 ? `${Math.round(unseen)} s not looked at` : "looked at"];
      for (const [index, word] of words.entries()) if (button.children[index].textContent !== word) button.children[index].textContent = word;
      button.classList.add("inside");
      if (minute === this.shown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}

let frames, marks, view, saving, rules;
let at = 0;
let mediaS = 0;
let playing = false;
let speed = 1;
let lostFrom = null;
let pointer = null;
let lastTick = 0;
let lastInput = performance.now();
let leaving = false;

const now = () => (frames.length ? frames.timeOf(at) : mediaS);

/** Seconds of a minute's footage that were neither looked at nor marked as lost. */
function unseenIn(minute, from) {
  const begin = (minute - 1) * MINUTE_S;
  const covered = [...from.seen, ...from.state.lost];
  let unseen = 0;
  let last = begin;
  for (const time of rules.frames.map(([, seconds]) => seconds).filter((seconds) => seconds >= begin && seconds < begin + MINUTE_S)) {
    if (time - last <= GAP_S && !covered.some(([a, b]) => time >= a - 0.01 && time <= b + 0.01)) unseen += time - last;
    last = time;
  }
  return unseen;
}

function redraw() {
  const picture = frames.length ? frames.want(at, playing ? stride() : 1) : null;
  const trouble = frames.failed.get(at);
  if (trouble) hint(`this frame cannot be shown: ${trouble}`, 4000);
  const minute = minuteOf(now());
  if (rules.minutes.includes(minute)) view.shown = minute;
  view.draw(picture, now(), marks.state.marks);
  view.drawTimeline(now(), marks.content());
  view.showMinutes(marks, now(), seek);
  find("time").textContent = clockWords(now());
  find("lost-now").hidden = lostFrom === null && !marks.state.lost.some(([from, to]) => now() >= from && now() < to);
  find("speed").textContent = `${speed}×`;
  find("play").firstChild.textContent = playing ? "Stop " : "Play ";
}

function show(index, watched = true) {
  const to = Math.min(Math.max(index, 0), frames.length - 1);
  if (watched && to > at && frames.timeOf(to) - frames.timeOf(at) <= GAP_S * Math.max(1, speed)) marks.saw(frames.timeOf(at), frames.timeOf(to));
  at = to;
  mediaS = frames.timeOf(at);
  marks.position = mediaS;
  const next = at + 1 < frames.length ? frames.timeOf(at + 1) : mediaS + FRAME_S;
  marks.saw(mediaS, next - mediaS <= GAP_S ? next : mediaS + FRAME_S);
  saving.dirty = true;
}

function seek(seconds) {
  playing = false;
  const index = frames.indexAt(seconds);
  show(frames.timeOf(index) < seconds - FRAME_S && index + 1 < frames.length ? index + 1 : index, false);
  redraw();
}

const stride = () => Math.max(1, Math.floor(speed));

function play(on) {
  playing = on && frames.length > 0 && at < frames.length - 1;
  lastTick = performance.now();
  if (playing) requestAnimationFrame(tick);
  redraw();
}

/** Time goes on only while its frames are here; where a minute's frames end it stops. */
function tick(time) {
  if (!playing) return;
  const step = Math.min((time - lastTick) / 1000, 0.25) * speed;
  lastTick = lastInput = time;
  let next = at + 1;
  const last = Math.min(at + stride(), frames.length - 1);
  while (next < last && frames.timeOf(next + 1) - frames.timeOf(next) <= GAP_S) next += 1;
  if (frames.timeOf(next) - now() > GAP_S && minuteOf(frames.timeOf(next)) !== minuteOf(now())) return ended(next);
  const due = frames.timeOf(next);
  const reached = due - now() > GAP_S ? due : mediaS + step;
  if (reached < due) mediaS = reached;
  else if (frames.has(next)) {
    show(next, due - now() <= GAP_S * Math.max(1, speed));
    mediaS = Math.min(reached, due + FRAME_S);
    redraw();
  } else frames.need(next, stride());
  if (at >= frames.length - 1) ended();
  else requestAnimationFrame(tick);
}

function ended(next = null) {
  playing = false;
  if (next !== null) show(next, false);
  hint(next === null ? "the end: s finishes" : "the next minute begins", 4000);
  redraw();
}

function mark(parts) {
  if (saving.over) return hint("not taken: see the line at the top of the page", 4000);
  if (!frames.length) return undefined;
  const [x, y] = parts ?? [pointer ? pointer[0] : 0.5, rules.line_height];
  marks.add(now(), frames.stillOf(at), "system", x, y);
  const minute = minuteOf(now());
  return hint(rules.minutes.includes(minute) ? `Opening, minute ${minute}: ${marks.systemsIn(minute)}` : "kept; outside of the minutes that are counted");
}

function holdLost(on) {
  if (on && saving.over) return;
  if (on && lostFrom === null) lostFrom = now();
  if (!on && lostFrom !== null) {
    const from = Math.min(lostFrom, now());
    const to = Math.max(lostFrom, now()) + FRAME_S;
    lostFrom = null;
    marks.lose(from, to);
    hint(`${(to - from).toFixed(1)} s cannot be seen`);
  }
  find("hold-lost").toggleAttribute("data-held", lostFrom !== null);
  redraw();
}

function changeSpeed(by) {
  const place = by === 0 ? SPEEDS.indexOf(1) : Math.min(Math.max(SPEEDS.indexOf(speed) + by, 0), SPEEDS.length - 1);
  speed = SPEEDS[place];
  redraw();
}

function step(by) {
  playing = false;
  show(at + by);
  redraw();
}

function stepSecond(by) {
  playing = false;
  show(frames.indexAt(now() + by), by > 0);
  redraw();
}

function contrast(by) {
  view.contrast = Math.min(3, Math.max(0.6, Math.round((view.contrast + by) * 10) / 10));
  hint(`contrast ${view.contrast}`);
  redraw();
}

function openFinish() {
  play(false);
  const told = rules.minutes.map((minute) => `minute ${minute}: ${marks.systemsIn(minute)} openings, ${Math.round(unseenIn(minute, marks))} s not looked at`);
  find("finish-words").textContent = `${told.join("; ")}.`;
  find("finish-problem").textContent = "";
  find("finish-box").showModal();
}

async function finish() {
  const say = (words) => (find("finish-problem").textContent = words);
  if (!(await saving.finish())) return say("Not all of it is saved yet: see the line at the top of the page.");
  const headers = writeHeaders({ "content-type": "application/json" });
  const body = JSON.stringify({ revision: saving.revision });
  const answer = await fetch(`/api/tows/${tow}/check/finish`, { method: "POST", headers, body }).catch(() => null);
  if (!answer) return say("The appliance does not answer.");
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    return say(`${told.message ?? answer.status} ${told.advice ?? ""}`);
  }
  leaving = true;
  location.href = `/tows/${tow}/review#misses`;
  return undefined;
}

const DO = {
  play: () => play(!playing),
  back: () => step(-1),
  on: () => step(1),
  slower: () => changeSpeed(-1),
  faster: () => changeSpeed(1),
  opening: () => mark(),
  undo: () => hint(marks.undo() ? "undone" : "nothing left"),
  redo: () => hint(marks.redo() ? "done again" : "nothing left"),
  dimmer: () => contrast(-0.1),
  brighter: () => contrast(0.1),
  fit: () => {
    view.fills = !view.fills;
    redraw();
  },
};
const KEYS = {
  " ": DO.play,
  j: DO.slower,
  k: () => changeSpeed(0),
  l: DO.faster,
  ArrowLeft: (event) => (event.shiftKey ? stepSecond(-1) : step(-1)),
  ArrowRight: (event) => (event.shiftKey ? stepSecond(1) : step(1)),
  b: DO.opening,
  "[": DO.dimmer,
  "]": DO.brighter,
  f: DO.fit,
  s: openFinish,
  1: () => seek((rules.minutes[0] - 1) * MINUTE_S),
  2: () => rules.minutes[1] && seek((rules.minutes[1] - 1) * MINUTE_S),
  r: () => hint("the browser's own key loads the page again; your marks are kept"),
  ...{ a: () => {}, "/": () => {} }, // keys of lists, which lead away from here
  x: () => holdLost(true),
  z: (event) => (event.shiftKey ? DO.redo() : DO.undo()),
};
const ONCE = new Set([" ", "b", "f", "s", "x"]);

function press(event) {
  lastInput = performance.now();
  if (isTyping(event) || document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  event.stopPropagation();
  if (!(event.repeat && ONCE.has(key))) KEYS[key](event);
}

function listen() {
  document.addEventListener("keydown", press, true);
  document.addEventListener("keyup", (event) => event.key.toLowerCase() === "x" && holdLost(false), true);
  window.addEventListener("blur", () => holdLost(false));
  new ResizeObserver(() => (view.fit(), redraw())).observe(find("stage"));
  document.addEventListener("modechange", redraw);
  document.addEventListener("pointermove", () => (lastInput = performance.now()), { passive: true });
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => (DO[button.dataset.do](), button.blur()));
  const canvas = find("frame");
  canvas.addEventListener("pointermove", (event) => (pointer = view.partsOf(event)));
  canvas.addEventListener("pointerleave", () => (pointer = null));
  canvas.addEventListener("click", (event) => {
    const parts = view.partsOf(event);
    if (parts) mark(parts);
  });
  find("timeline").addEventListener("pointerdown", (event) => seek(view.secondAt(event)));
  find("timeline").addEventListener("pointermove", (event) => event.buttons && seek(view.secondAt(event)));
  const hold = find("hold-lost");
  hold.addEventListener("pointerdown", (event) => (hold.setPointerCapture(event.pointerId), holdLost(true)));
  for (const kind of ["pointerup", "pointercancel"]) hold.addEventListener(kind, () => holdLost(false));
  find("finish-open").addEventListener("click", openFinish);
  find("finish-now").addEventListener("click", finish);
  find("finish-close").addEventListener("click", () => find("finish-box").close());
  document.addEventListener("signedoutchange", () => saving.beat());
  window.addEventListener("beforeunload", (event) => saving.hasActs && !leaving && event.preventDefault());
}

function told(kind, words) {
  if (kind === "older") words = "Another window goes on with these minutes. Load this page again to go on here; what you did here since stays in this browser.";
  tell(kind === "older" ? "bad" : kind, { words, acts: saving.hasActs, station });
}

function changed() {
  saving.touch();
  redraw();
}

async function begin() {
  const isActive = () => !document.hidden && performance.now() - lastInput < 60_000;
  const address = `/api/tows/${tow}/check/marks`;
  saving = new Saving({ address, uuid, who, read: () => marks.content(), show: told, isActive, onOutdated: () => play(false) });
  rules = await saving.load((content) => (marks = new Marks(content, changed)));
  frames = new Frames(tow, rules.frames, (index) => index === at && redraw());
  view = new CheckView(rules);
  if (frames.length) at = frames.indexAt(marks.position ?? (rules.first_minute - 1) * MINUTE_S);
  mediaS = frames.length ? frames.timeOf(at) : 0;
  view.fit();
  listen();
  redraw();
  if (!frames.length) tell("bad", { words: "The frames of these minutes cannot be shown: decline them with a reason on the review page." });
  else if (rules.resumed) hint(rules.resumed, 5000);
  find("frame").focus();
}

function failed(error) {
  if (error.status === 401) {
    location.href = signInAddress();
    return;
  }
  tell("bad", { words: `The minutes cannot be loaded: ${error.message}. Trying again.` });
  setTimeout(() => begin().catch(failed), AGAIN_MS);
}

begin().catch(failed);
