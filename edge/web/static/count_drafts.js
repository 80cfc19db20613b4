// Two drafts of one count: whether they are the same, and how they differ. The whole draft is compared: way, clicks, seconds lost, notes, typed minutes.

import { minuteOf } from "/static/count_marks.js";

const TYPED = ["systems", "s lost", "in", "out"];

/** What a person did, without where the page was and what was looked at. */
export function draftOf({ way, marks, lost, notes, typed }) {
  return { way, marks, lost, notes, typed };
}

const spelled = (mark) => JSON.stringify(mark);

function plain(content) {
  const sorted = (things) => Object.entries(things).sort(([a], [b]) => a - b);
  return JSON.stringify([content.way, content.marks.map(spelled).sort(), content.lost, sorted(content.notes), sorted(content.typed)]);
}

export function isSame(a, b) {
  return plain(a) === plain(b);
}

const systemsOf = (content) => content.marks.filter((one) => one[2] === "system").length;
const lostOf = (content) => content.lost.reduce((sum, [from, to]) => sum + to - from, 0);

function only(content, other) {
  const theirs = new Set(other.marks.map(spelled));
  return content.marks.filter((one) => !theirs.has(spelled(one))).length;
}

function perMinute(content) {
  const found = {};
  for (const [at, , feature] of content.marks) if (feature === "system") found[minuteOf(at)] = (found[minuteOf(at)] ?? 0) + 1;
  return found;
}

function typedWords(values) {
  if (!values) return "–";
  return values.map((value, place) => (value === null ? null : `${value} ${TYPED[place]}`)).filter(Boolean).join(", ");
}

/** Lines [what, a, b] of what to know of two drafts; after the first three only what differs. */
export function differences(a, b) {
  const clicks = (one, other) => `${one.marks.length}, of them ${systemsOf(one)} systems; ${only(one, other)} only here`;
  const rows = [
    ["Clicks", clicks(a, b), clicks(b, a)],
    ["Seconds lost", lostOf(a).toFixed(1), lostOf(b).toFixed(1)],
  ];
  if (a.way !== b.way) rows.push(["Counted by", ...[a, b].map((one) => (one.way === "typed" ? "numbers per minute" : "frames"))]);
  const each = (name, of, words) => {
    const [left, right] = [of(a), of(b)];
    const minutes = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort((one, two) => one - two);
    for (const minute of minutes) {
      const [one, two] = [words(left[minute]), words(right[minute])];
      if (one !== two) rows.push([`${name}, minute ${minute}`, one, two]);
    }
  };
  each("Systems", perMinute, (value) => String(value ?? 0));
  each("Typed", (one) => one.typed, typedWords);
  each("Note", (one) => one.notes, (text) => text ?? "–");
  return rows;
}
