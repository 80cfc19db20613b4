// One page of chips. Each is one picture with the moments of an opening side by side, of which one is shown at a time.

export const ACROSS = 5;
export const PER_PAGE = 20;
const STEP_MS = 110;
const AT_ONCE = 3; // of the browser's six connections: the others are for what is decided and for the whole frame
const WORDS = { accepted: "✓ accepted", rejected: "✕ rejected", unsure: "? unsure" };

/** Minutes and seconds of a tow, such as 03:12.4. */
export function clockOf(atS) {
  const tenths = Math.round(atS * 10);
  return `${String(Math.floor(tenths / 600)).padStart(2, "0")}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

export function verdictOf(row) {
  if (row.decision) return WORDS[row.decision];
  return row.earlier ? `was ${WORDS[row.earlier.decision]}` : "undecided";
}

/** The system that an opening belongs to, in words. */
export function systemOf(row) {
  if (row.system === null) return "no system";
  return row.system === row.proposed ? `system ${row.system}` : `system ${row.system} (was ${row.proposed ?? "–"})`;
}

export class Grid {
  constructor(place) {
    this.place = place;
    this.labels = document.getElementById("review").dataset.labels === "1"; // one class for all says nothing
    this.kept = new Map();
    this.waiting = [];
    this.ahead = [];
    this.loading = 0;
    this.at = 0;
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(() => this.still || this.turn(), STEP_MS);
  }

  get isPlaying() {
    return !this.still;
  }

  /** Let the chips stand still or loop. Returns whether they loop. */
  toggle() {
    this.still = !this.still;
    return !this.still;
  }

  turn() {
    this.at += 1;
    for (const chip of this.place.children) this.frame(chip.querySelector("img"));
  }

  frame(picture) {
    const count = picture?.naturalHeight ? Math.round(picture.naturalWidth / picture.naturalHeight) : 0;
    if (count > 1) picture.style.objectPosition = `${(100 * (this.at % count)) / (count - 1)}% 0`;
  }

  draw(rows, { here, selected }) {
    const wanted = new Map(rows.map((row) => [row.id, this.kept.get(row.id) ?? this.make(row)]));
    this.kept = wanted;
    this.waiting = this.waiting.filter((one) => wanted.has(one.id));
    const now = [...wanted.values()];
    if (now.length !== this.place.children.length || now.some((chip, index) => this.place.children[index] !== chip)) this.place.replaceChildren(...now);
    for (const row of rows) this.tell(wanted.get(row.id), row, { isHere: row.id === here, isSelected: selected.has(row.id) });
  }

  make(row) {
    const chip = document.createElement("div");
    chip.className = "chip";
    chip.id = `chip-${row.id}`;
    chip.dataset.id = row.id;
    chip.setAttribute("role", "option");
    const pic = document.createElement("div");
    pic.className = "pic";
    const picture = new Image();
    picture.alt = `opening ${row.ordinal}`;
    const words = document.createElement("span");
    words.className = "lacking";
    words.textContent = "loading";
    picture.addEventListener("load", () => {
      words.remove();
      this.frame(picture);
    });
    picture.addEventListener("error", () => (words.textContent = "no picture: its footage cannot be read"));
    this.want(row.id, picture);
    pic.append(picture, words);
    const says = document.createElement("div");
    says.className = "says";
    for (const name of ["confidence", "time", "system", "sight", "earlier", "verdict"]) {
      const line = document.createElement(name === "confidence" ? "b" : "span");
      line.className = name;
      says.append(line);
    }
    chip.append(pic, says);
    return chip;
  }

  tell(chip, row, { isHere, isSelected }) {
    const put = (name, words) => (chip.querySelector(`.${name}`).textContent = words);
    put("confidence", `${Math.round(row.confidence * 100)} %`);
    put("time", `${clockOf(row.at_s)}${row.crossing_s === null ? " no crossing" : ""}`);
    put("system", systemOf(row));
    put("sight", `${row.frames} frames${row.missed ? `, ${row.missed} missed` : ""}`);
    put("verdict", verdictOf(row));
    put("earlier", row.earlier && !row.decision ? `${row.earlier.decided_by.split(" ")[0]}, ${row.earlier.decided_utc.slice(0, 10)}` : this.labels ? (row.label ?? "") : "");
    chip.dataset.decision = row.decision ?? "";
    chip.dataset.earlier = row.earlier && !row.decision ? row.earlier.decision : "";
    chip.classList.toggle("here", isHere);
    chip.setAttribute("aria-selected", String(isSelected));
    if (isHere) this.place.setAttribute("aria-activedescendant", chip.id);
  }

  /** Have the pictures of the next page made and kept before it is shown. */
  fetchAhead(ids) {
    this.ahead = ids.map((id) => ({ id, picture: new Image() }));
    this.fetchNext();
  }

  /** A few at a time, this page before the next; what was turned over before its turn came is left out. */
  want(id, picture) {
    this.waiting.push({ id, picture });
    this.fetchNext();
  }

  fetchNext() {
    while (this.loading < AT_ONCE && this.waiting.length + this.ahead.length) {
      const { id, picture } = this.waiting.shift() ?? this.ahead.shift();
      this.loading += 1;
      const done = () => {
        this.loading -= 1;
        this.fetchNext();
      };
      picture.addEventListener("load", done);
      picture.addEventListener("error", done);
      picture.src = `/api/openings/${id}/chips`;
    }
  }
}
