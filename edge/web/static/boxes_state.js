// The boxes of one image under review: what the model found, what is decided, what of it is saved, and the way back.
//
// The state of a box is {verdict, label, box}: a model's object is "none" (nobody said anything), "confirmed" or "rejected"; one that a
// person added is "confirmed", or "gone". States are never changed, only exchanged, so a state is its own undo.

const near = (one, other) => one.every((value, at) => Math.abs(value - other[at]) < 1e-6);
const sameState = (one, other) => one.verdict === other.verdict && one.label === other.label && near(one.box, other.box);
const BOX = ["x_min_px", "y_min_px", "x_max_px", "y_max_px"];
const boxOf = (row, of = "") => BOX.map((name) => row[of + name]);

export const keyOf = ({ object_id: id, added_uuid: uuid }) => (id === null || id === undefined ? `a${uuid}` : `m${id}`);

function entryOf(row) {
  const isAdded = row.object_id === null;
  const decided = ["confirmed", "moved", "relabelled", "added"].includes(row.decision);
  const state = { verdict: row.decision === "rejected" ? "rejected" : decided ? "confirmed" : "none", label: row.label, box: boxOf(row) };
  const model = isAdded ? null : { label: row.model_label, box: boxOf(row, "model_") };
  if (state.verdict === "none" && model) Object.assign(state, { label: model.label, box: model.box });
  return {
    key: keyOf(row), objectId: row.object_id, addedUuid: row.added_uuid, score: row.score, counted: row.counted, by: row.decided_by,
    model, now: state, saved: state,
  };
}

export class Boxes {
  constructor(answer) {
    this.take(answer);
    this.done = []; // steps, each a list of {key, before, after}; `key` null is whether all of the image is right
    this.undone = [];
  }

  /** What the appliance says. Nothing is unsaved then. */
  take(answer) {
    this.run = answer.run_uuid;
    this.revision = answer.revision;
    this.labels = answer.labels;
    this.isReviewed = this.savedReviewed = answer.is_reviewed;
    this.reviewedBy = answer.reviewed_by;
    const rows = answer.objects.map(entryOf);
    // From top to bottom, then as they come: an order that does not change while boxes are moved.
    rows.sort((one, other) => one.now.box[1] - other.now.box[1] || one.now.box[0] - other.now.box[0]);
    this.entries = rows;
  }

  find(key) {
    return this.entries.find((entry) => entry.key === key);
  }

  /** How it stands, as one word; the list, the drawing and the keys tell states apart by it. */
  kind(entry) {
    const { verdict, label, box } = entry.now;
    if (verdict === "gone") return "gone";
    if (verdict === "rejected") return "rejected";
    if (!entry.model) return "person";
    if (!near(box, entry.model.box)) return "moved";
    if (label !== entry.model.label) return "relabelled";
    if (verdict === "confirmed") return "confirmed";
    return entry.counted ? "model" : "candidate";
  }

  stands(entry) {
    return !["gone", "rejected", "candidate"].includes(this.kind(entry));
  }

  /** Do something to boxes: [{key, after}]; one step back undoes all of it. With `joins`, a step that goes on with the last one. */
  act(changes, joins = "") {
    const step = changes.map(({ key, after }) => ({ key, before: this.find(key).now, after })).filter(({ before, after }) => !sameState(before, after));
    if (!step.length) return false;
    this.set(step, "after");
    const last = this.done.at(-1);
    if (joins && last?.joins === joins && performance.now() - last.at_ms < 1500 && last.length === 1 && last[0].key === step[0].key) {
      last[0].after = step[0].after;
      last.at_ms = performance.now();
    } else {
      this.done.push(Object.assign(step, { joins, at_ms: performance.now() }));
    }
    this.undone = [];
    return true;
  }

  set(step, which) {
    for (const change of step) {
      if (change.key === null) this.isReviewed = change[which];
      else {
        this.find(change.key).now = change[which];
        this.isReviewed = false; // said of what was there before
      }
    }
  }

  add(box, label) {
    const uuid = anyUuid();
    const gone = { verdict: "gone", label, box };
    this.entries.push({ key: `a${uuid}`, objectId: null, addedUuid: uuid, score: null, counted: false, by: null, model: null, now: gone, saved: gone });
    this.act([{ key: `a${uuid}`, after: { ...gone, verdict: "confirmed" } }]);
    return `a${uuid}`;
  }

  review(isRight) {
    if (isRight === this.isReviewed) return;
    const step = [{ key: null, before: this.isReviewed, after: isRight }];
    this.set(step, "after");
    this.done.push(step);
    this.undone = [];
  }

  undo() {
    return this.step(this.done, this.undone, "before");
  }

  redo() {
    return this.step(this.undone, this.done, "after");
  }

  step(from, to, which) {
    const step = from.pop();
    if (!step) return null;
    this.set(step, which);
    to.push(step);
    return step;
  }

  /** What is not saved, as the appliance takes it, with the states that it stands for. */
  pending() {
    const changed = this.entries.filter((entry) => !sameState(entry.now, entry.saved));
    const decisions = changed.map((entry) => ({ uuid: anyUuid(), ...decisionOf(entry) }));
    const before = decisions.length ? false : this.savedReviewed;
    return { decisions, reviewed: this.isReviewed === before ? null : this.isReviewed, states: changed.map(({ key, now }) => ({ key, now })), isReviewed: this.isReviewed };
  }

  get unsaved() {
    return this.isReviewed !== this.savedReviewed || this.entries.some((entry) => !sameState(entry.now, entry.saved));
  }

  /** Exactly that is on disk. */
  saved({ states, isReviewed }, answer) {
    for (const { key, now } of states) this.find(key).saved = now;
    this.savedReviewed = isReviewed;
    this.revision = answer.revision;
    this.reviewedBy = answer.reviewed_by;
    this.labels = [...new Set([...answer.labels, ...this.labels])];
  }

  /** What is not saved, to keep in this browser. */
  kept() {
    return this.entries
      .filter((entry) => !sameState(entry.now, entry.saved))
      .map(({ objectId, addedUuid, now }) => ({ object_id: objectId, added_uuid: addedUuid, now }));
  }

  /** Put what was kept on top of what the appliance has. How many boxes it changed. */
  putOnTop(kept) {
    const changes = [];
    for (const { object_id: objectId, added_uuid: addedUuid, now } of kept) {
      const key = keyOf({ object_id: objectId, added_uuid: addedUuid });
      if (!this.find(key) && objectId === null) {
        const gone = { ...now, verdict: "gone" };
        this.entries.push({ key, objectId, addedUuid, score: null, counted: false, by: null, model: null, now: gone, saved: gone });
      }
      if (this.find(key)) changes.push({ key, after: now });
    }
    return this.act(changes) ? changes.length : 0;
  }
}

function decisionOf(entry) {
  const { verdict, label, box } = entry.now;
  const about = { object_id: entry.objectId, added_uuid: entry.addedUuid };
  if (!entry.model) {
    if (verdict === "gone") return { ...about, decision: "cleared" };
    const isNew = entry.saved.verdict === "gone";
    return { ...about, decision: isNew ? "added" : near(box, entry.saved.box) ? "relabelled" : "moved", label, box };
  }
  if (verdict === "rejected") return { ...about, decision: "rejected" };
  const renamed = label === entry.model.label ? {} : { label };
  if (!near(box, entry.model.box)) return { ...about, decision: "moved", box, ...renamed };
  if (renamed.label) return { ...about, decision: "relabelled", ...renamed };
  return { ...about, decision: verdict === "confirmed" ? "confirmed" : "cleared" };
}

/** A UUID of version 4; randomUUID needs an encrypted page, which a ship's network may not have. */
function anyUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}
