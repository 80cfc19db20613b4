// What a counter did: clicks, seconds lost, notes, typed minutes; every act can be undone. Content as the API has it.

const MINUTE_S = 60;
export const FEATURES = {
  system: "system",
  nephrops_in: "Nephrops in",
  nephrops_out: "Nephrops out",
  trawl_mark: "trawl mark",
  virgularia: "Virgularia",
  pennatula: "Pennatula",
  funiculina: "Funiculina",
};

export function minuteOf(seconds) {
  return Math.floor(seconds / MINUTE_S) + 1;
}

function merge(intervals) {
  const found = [];
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}

const rounded = (value, digits) => Number(value.toFixed(digits));

export class Marks {
  constructor(content, onChange) {
    this.state = { way: content.way, marks: content.marks, lost: content.lost, notes: content.notes, typed: content.typed };
    this.seen = content.seen;
    this.position = content.position_s;
    this.done = [];
    this.undone = [];
    this.onChange = onChange;
  }

  content() {
    return { ...this.state, seen: this.seen, position_s: this.position };
  }

  /** Every act makes a new state and keeps the one before. What is being typed into one field (`field`) is one act. */
  act(change, words, field = null) {
    if (field === null || this.done.at(-1)?.[2] !== field) this.done.push([this.state, words, field]);
    if (this.done.length > 500) this.done.shift();
    this.undone = [];
    this.state = { ...this.state, ...change };
    this.onChange();
  }

  undo() {
    return this.swap(this.done, this.undone);
  }

  redo() {
    return this.swap(this.undone, this.done);
  }

  swap(from, to) {
    const last = from.pop();
    if (!last) return null;
    to.push([this.state, last[1]]);
    this.state = last[0];
    this.onChange();
    return last[1];
  }

  add(atS, number, feature, x, y) {
    const utc = new Date().toISOString();
    const mark = [rounded(atS, 3), number, feature, x === null ? null : rounded(x, 5), y === null ? null : rounded(y, 5), utc];
    const marks = [...this.state.marks, mark].sort((a, b) => a[0] - b[0]);
    this.act({ marks }, FEATURES[feature]);
  }

  lose(fromS, toS) {
    this.act({ lost: merge([...this.state.lost, [rounded(fromS, 3), rounded(toS, 3)]]) }, "seconds lost");
  }

  note(minute, text) {
    const notes = { ...this.state.notes, [minute]: text };
    if (!text) delete notes[minute];
    this.act({ notes }, "note", `note/${minute}`);
  }

  type(minute, values) {
    const typed = { ...this.state.typed, [minute]: values };
    if (values === null) delete typed[minute];
    this.act({ typed }, "numbers", `numbers/${minute}`);
  }

  setWay(way) {
    this.act({ way }, "way of counting");
  }

  /** Looked at; tells nobody, the position goes with the next save. */
  saw(fromS, toS) {
    const last = this.seen.find(([from, to]) => fromS >= from && fromS <= to + 0.01);
    if (last) {
      if (toS <= last[1]) return;
      last[1] = rounded(toS, 3);
    } else {
      this.seen.push([rounded(fromS, 3), rounded(toS, 3)]);
    }
    this.seen = merge(this.seen);
  }

  systemsIn(minute) {
    if (this.state.way === "typed") return this.state.typed[minute]?.[0] ?? null;
    return this.state.marks.filter((one) => one[2] === "system" && minuteOf(one[0]) === minute).length;
  }

  lostIn(minute) {
    if (this.state.way === "typed") return this.state.typed[minute]?.[1] ?? 0;
    const begin = (minute - 1) * MINUTE_S;
    const end = minute * MINUTE_S;
    return this.state.lost.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(to, end) - Math.max(from, begin)), 0);
  }
}
