// The counting page: plays the frames of a tow, takes what is marked, keeps it, signs it.

import { choose } from "/static/count_choose.js";
import { draftOf } from "/static/count_drafts.js";
import { Frames } from "/static/count_frames.js";
import { FEATURES, Marks, minuteOf } from "/static/count_marks.js";
import { Saving } from "/static/count_saving.js";
import { openSigning } from "/static/count_sign.js";
import { hint, signInAddress, tell } from "/static/count_told.js";
import { showTyped } from "/static/count_typed.js";
import { View, clockWords } from "/static/count_view.js";
import { isTyping } from "/static/keys.js";

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4];
const AGAIN_MS = 3000;
const FRAME_S = 0.08;
const GAP_S = 1.5;
const WAITS_MS = 700;
const NEAR_LINE = 0.22; // of the height: clicks further off are asked about

const root = document.getElementById("counting");
const find = (id) => document.getElementById(id);
const { count, uuid, who, tow, station } = root.dataset;

let frames, marks, view, saving, rules;
let startUtc = null;
let at = 0; // index of the frame that is shown
let mediaS = 0;
let playing = false;
let speed = 1;
let lostFrom = null;
let pointer = null;
let lastTick = 0;
let lastInput = performance.now();
let waitingFrom = null; // when play began to wait for a still
let conflicts = []; // copies of this browser beside what the appliance has, for a person to choose
let isOlder = false; // another window saved since this one did
let leaving = false; // to the sign-in and back: nothing is asked

const now = () => (frames.length ? frames.timeOf(at) : mediaS);

function redraw() {
  if (!frames.length) {
    view.showMinutes(marks, mediaS, () => {});
    return;
  }
  const picture = frames.want(at, playing ? stride() : 1);
  const trouble = frames.failed.get(at);
  if (trouble) hint(`this still cannot be shown: ${trouble}`, 4000);
  view.draw(picture, now(), marks.state.marks);
  view.drawTimeline(now(), marks.content());
  view.showMinutes(marks, now(), seek);
  const minute = minuteOf(now());
  find("minute").textContent = minute >= view.first && minute <= view.last ? String(minute) : `${minute}, outside`;
  find("time").textContent = clockWords(now());
  find("utc").textContent = startUtc === null ? "" : `${new Date(startUtc + now() * 1000).toISOString().slice(11, 19)}Z`;
  find("lost-now").hidden = lostFrom === null && !marks.state.lost.some(([from, to]) => now() >= from && now() < to);
  find("speed").textContent = `${speed}×`;
  find("play").firstChild.textContent = playing ? "Stop " : "Play ";
}

/** Show a frame; `watched` counts what lies between as looked at. */
function show(index, watched = true) {
  const to = Math.min(Math.max(index, 0), frames.length - 1);
  if (watched && to > at && frames.timeOf(to) - frames.timeOf(at) <= GAP_S * Math.max(1, speed)) marks.saw(frames.timeOf(at), frames.timeOf(to));
  at = to;
  mediaS = frames.timeOf(at);
  marks.position = mediaS;
  const next = at + 1 < frames.length ? frames.timeOf(at + 1) : mediaS + FRAME_S;
  if (next - mediaS <= GAP_S) marks.saw(mediaS, next);
  saving.dirty = true;
}

function seek(seconds) {
  playing = false;
  show(frames.indexAt(seconds), false);
  redraw();
}

function play(on) {
  playing = on && frames.length > 0 && at < frames.length - 1;
  lastTick = performance.now();
  if (playing) requestAnimationFrame(tick);
  redraw();
}

/** How many stills on each picture of the play is. */
const stride = () => Math.max(1, Math.floor(speed));

/** The still that play shows next: a stride on, but the last before footage that is missing, and the first after it. */
function nextIndex() {
  const most = Math.min(at + stride(), frames.length - 1);
  let next = at + 1;
  if (frames.timeOf(next) - now() > GAP_S) return next;
  while (next < most && frames.timeOf(next + 1) - frames.timeOf(next) <= GAP_S) next += 1;
  return next;
}

/** Time goes on only while its frames are here: nothing is passed over because it came late. */
function tick(time) {
  if (!playing) return;
  const step = Math.min((time - lastTick) / 1000, 0.25) * speed;
  lastTick = time;
  const next = nextIndex();
  const due = frames.timeOf(next);
  const missing = due - now() > GAP_S && next === at + 1 ? due - now() : 0; // gone over at once
  const reached = missing ? due : mediaS + step;
  if (reached < due) {
    mediaS = reached;
  } else if (frames.has(next)) {
    waitingFrom = null;
    if (missing) hint(`no footage for ${missing.toFixed(0)} s; it is taken as lost`, 3000);
    show(next, !missing);
    mediaS = Math.min(reached, due + FRAME_S);
    redraw();
  } else {
    frames.need(next, stride());
    waitingFrom ??= time;
    if (time - waitingFrom > WAITS_MS) hint("waiting for the next still: the link is slow or away; nothing is passed over", 1000);
  }
  lastInput = time;
  if (at >= frames.length - 1) play(false);
  else requestAnimationFrame(tick);
}

function changeSpeed(by) {
  const place = by === 0 ? SPEEDS.indexOf(1) : Math.min(Math.max(SPEEDS.indexOf(speed) + by, 0), SPEEDS.length - 1);
  speed = SPEEDS[place];
  redraw();
}

/** Whether something can be marked now; says why not. */
function mayMark() {
  if (saving.over) hint("not taken: see the line at the top of the page", 4000);
  return !saving.over && frames.length > 0 && marks.state.way !== "typed";
}

function mark(feature, parts) {
  if (!mayMark()) return;
  const [x, y] = parts ?? [pointer ? pointer[0] : 0.5, feature === "system" ? rules.line_height : pointer ? pointer[1] : 0.5];
  marks.add(now(), frames.stillOf(at), feature, x, y);
  const minute = minuteOf(now());
  if (minute < view.first || minute > view.last) hint(`kept, not counted: minute ${minute} is outside of ${view.first} to ${view.last}`, 4000);
  else if (feature === "system" && y < rules.line_height - NEAR_LINE) hint("far above the line: a system counts when it passes the line", 4000);
  else hint(feature === "system" ? `System, minute ${minute}: ${marks.systemsIn(minute)}` : `${FEATURES[feature]}, minute ${minute}`);
}

function holdLost(on) {
  if (on && !mayMark()) return;
  if (on && lostFrom === null) lostFrom = now();
  if (!on && lostFrom !== null) {
    const from = Math.min(lostFrom, now());
    const to = Math.max(lostFrom, now()) + FRAME_S;
    lostFrom = null;
    marks.lose(from, to);
    hint(`${(to - from).toFixed(1)} s cannot be counted`);
  }
  find("hold-lost").toggleAttribute("data-held", lostFrom !== null);
  redraw();
}

function writeNote() {
  const minute = minuteOf(now());
  play(false);
  find("note-minute").textContent = String(minute);
  find("note-text").value = marks.state.notes[minute] ?? "";
  find("note-text").oninput = () => marks.note(minute, find("note-text").value); // kept while it is written
  find("note-box").showModal();
  find("note-box").onclose = () => {
    const text = find("note-text").value.trim();
    if (text !== (marks.state.notes[minute] ?? "")) marks.note(minute, text);
    find("frame").focus();
  };
}

function undo(words, verb) {
  hint(words ? `${verb}: ${words}` : "nothing left");
}

const DO = {
  play: () => play(!playing),
  back: () => step(-1),
  on: () => step(1),
  slower: () => changeSpeed(-1),
  normal: () => changeSpeed(0),
  faster: () => changeSpeed(1),
  undo: () => undo(marks.undo(), "undone"),
  redo: () => undo(marks.redo(), "done again"),
  note: writeNote,
  dimmer: () => contrast(-0.1),
  brighter: () => contrast(0.1),
  fit: () => {
    view.fills = !view.fills;
    redraw();
  },
  way: () => {
    play(false);
    marks.setWay(marks.state.way === "typed" ? "frames" : "typed");
  },
  sign: () => {
    play(false);
    if (conflicts.length || isOlder) resolve();
    else openSigning({ count, station, saving });
  },
};
for (const feature of Object.keys(FEATURES)) DO[feature] = () => mark(feature);

function step(by) {
  if (!frames.length) return;
  playing = false;
  show(at + by);
  redraw();
}

function stepSecond(by) {
  if (!frames.length) return;
  playing = false;
  show(frames.indexAt(now() + by), by > 0);
  redraw();
}

function contrast(by) {
  view.contrast = Math.min(3, Math.max(0.6, Math.round((view.contrast + by) * 10) / 10));
  hint(`contrast ${view.contrast}`);
  redraw();
}

const KEYS = {
  " ": DO.play,
  j: DO.slower,
  k: DO.normal,
  l: DO.faster,
  ArrowLeft: (event) => (event.shiftKey ? stepSecond(-1) : step(-1)),
  ArrowRight: (event) => (event.shiftKey ? stepSecond(1) : step(1)),
  b: DO.system,
  n: DO.nephrops_in,
  o: DO.nephrops_out,
  t: DO.trawl_mark,
  1: DO.virgularia,
  2: DO.pennatula,
  3: DO.funiculina,
  "[": DO.dimmer,
  "]": DO.brighter,
  e: DO.note,
  f: DO.fit,
  s: DO.sign,
  r: () => hint("the browser's own key loads the page again; the count is kept"),
  ...{ a: () => {}, "/": () => {} }, // keys of lists, which lead away from here
  x: () => holdLost(true),
  z: (event) => (event.shiftKey ? DO.redo() : DO.undo()),
};
const ONCE = new Set([" ", "b", "n", "o", "t", "1", "2", "3", "e", "f", "s", "x"]);

function press(event) {
  lastInput = performance.now();
  if (isTyping(event) || event.target.matches("textarea") || document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.repeat && ONCE.has(key)) return;
  KEYS[key](event);
}

function listen() {
  document.addEventListener("keydown", press, true);
  document.addEventListener("keyup", (event) => event.key.toLowerCase() === "x" && holdLost(false), true);
  window.addEventListener("blur", () => holdLost(false));
  new ResizeObserver(() => (view.fit(), redraw())).observe(find("stage"));
  document.addEventListener("modechange", redraw);
  document.addEventListener("pointermove", () => (lastInput = performance.now()), { passive: true });
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", (event) => (DO[button.dataset.do](event), button.blur()));
  const canvas = find("frame");
  canvas.addEventListener("pointermove", (event) => (pointer = view.partsOf(event)));
  canvas.addEventListener("pointerleave", () => (pointer = null));
  canvas.addEventListener("click", (event) => {
    const parts = view.partsOf(event);
    if (parts) mark("system", parts);
  });
  find("timeline").addEventListener("pointerdown", (event) => seek(view.secondAt(event)));
  find("timeline").addEventListener("pointermove", (event) => event.buttons && seek(view.secondAt(event)));
  const hold = find("hold-lost");
  hold.addEventListener("pointerdown", (event) => (hold.setPointerCapture(event.pointerId), holdLost(true)));
  for (const kind of ["pointerup", "pointercancel"]) hold.addEventListener(kind, () => holdLost(false));
  find("sign-open").addEventListener("click", DO.sign);
  document.addEventListener("signedoutchange", () => saving.beat()); // the page heard of it before the next beat
  find("trouble").addEventListener("click", (event) => {
    if (event.target.id !== "sign-in-again") return;
    leaving = true;
    saving.leave();
  });
  window.addEventListener("beforeunload", (event) => saving.hasActs && !leaving && event.preventDefault());
}

function told(kind, words) {
  if (kind === "good" && conflicts.length) kind = "conflict";
  if (kind === "older" || kind === "conflict") {
    const [label, act] = kind === "older" && !saving.hasActs ? ["Go on here", goOnHere] : ["Choose", resolve];
    tell(kind, { words: kind === "older" ? olderWords() : conflictWords(), choose: { label, act } });
  } else tell(kind, { words, acts: saving.hasActs, station });
}

function olderWords() {
  return saving.hasActs
    ? "NOT SAVED: another window saved this count since. What you did here is kept in this browser; both versions stay until you choose. "
    : "Another window goes on with this count. ";
}

function conflictWords() {
  const one = conflicts[0];
  return `This browser kept a version of ${one.made_utc.slice(0, 16).replace("T", " ")}Z that never reached the appliance, where another was saved. Both stay until you choose. `;
}

function changed() {
  saving.touch();
  if (isOlder) told("older");
  showTyped(marks, rules);
  redraw();
}

/** What another window saved becomes this window's; what was here can be had back with undo. */
function takeSaved(content, words) {
  saving.revision = content.revision;
  saving.over = isOlder = false;
  marks.act(draftOf(content), words);
}

async function goOnHere() {
  const own = await saving.fetch().catch(() => null);
  if (!own) return hint("the appliance does not answer", 4000);
  if (own.state !== "open") return saving.ended("This count is signed or set aside");
  takeSaved(own.content, "what the other window did");
  saving.beat();
}

/** Let the person choose between two versions, one pair after the other. */
async function resolve() {
  const own = await saving.fetch().catch(() => null);
  if (!own) return hint("the appliance does not answer", 4000);
  const here = isOlder ? { content: marks.content(), made_utc: saving.madeUtc } : conflicts[0];
  const chosen = await choose(isOlder ? own.content : { ...marks.content(), saved_utc: own.content.saved_utc }, here.content, here.made_utc);
  if (!chosen) return;
  if (isOlder) {
    takeSaved(own.content, "the other window's version");
    if (chosen === "here") marks.act(draftOf(here.content), "this window's version");
  } else {
    conflicts.shift();
    if (chosen === "here") {
      saving.replace(here);
      marks.act(draftOf(here.content), "the version that this browser kept");
    } else saving.copies.drop(here.window, here.turn);
  }
  hint("chosen; undo brings the other version back while this page is open", 6000);
  await saving.beat();
  if (conflicts.length) resolve();
}

async function begin() {
  const listed = fetch(`/api/tows/${tow}/frames`).then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`the appliance answered ${answer.status}`))));
  listed.catch(() => {}); // told where it is waited for
  const isActive = () => !document.hidden && performance.now() - lastInput < 60_000;
  const onOutdated = () => {
    isOlder = true;
    play(false);
    const isBusy = document.querySelector("dialog[open]") || document.activeElement.matches("input, textarea");
    if (saving.hasActs && !isBusy) resolve(); // else the line with its button waits until what is being typed is typed
  };
  saving = new Saving({ count, uuid, who, read: () => marks.content(), show: told, isActive, onOutdated });
  const own = await saving.load((content) => (marks = new Marks(content, changed)));
  conflicts = own.conflicts;
  rules = own;
  const list = await listed;
  startUtc = list.start_utc === null ? null : Date.parse(list.start_utc);
  frames = new Frames(tow, list.frames, (index) => index === at && redraw());
  view = new View(own, list.frames.length ? list.frames.at(-1)[1] : 0);
  if (!frames.length && marks.state.way !== "typed") marks.state = { ...marks.state, way: "typed" };
  if (frames.length) at = frames.indexAt(marks.position ?? (own.first_minute - 1) * 60);
  mediaS = frames.length ? frames.timeOf(at) : 0;
  view.fit();
  showTyped(marks, rules);
  listen();
  redraw();
  if (conflicts.length) {
    told("conflict");
    resolve();
  } else if (own.resumed) hint(own.resumed, 5000);
  else if (marks.position !== null) hint("goes on where you were", 3000);
  find("frame").focus();
}

function failed(error) {
  if (error.status === 401) {
    location.href = signInAddress(); // nothing was done here yet
    return;
  }
  tell("bad", { words: `The count cannot be loaded: ${error.message}. Trying again.` });
  setTimeout(() => begin().catch(failed), AGAIN_MS);
}

begin().catch(failed);
