// Frames of a tow: fetched ahead of the play, decoded off the main thread, a few hundred kept.

const AHEAD = 75; // six seconds of 12.5 stills
const BEHIND = 25;
const AT_ONCE = 6;
const FIRST_OF_CLIPS = 2 ** 50; // numbers from here on are frames of clips
const AGAIN_MS = 1500;
const PASSING = new Set([401, 403, 408, 429, 500, 502, 503, 504]); // says nothing about the frame

/** `frames` is [[number, at_s], ..] in the order of time. `onLoad` is called when one that is wanted has come. */
export class Frames {
  constructor(tow, frames, onLoad) {
    this.tow = tow;
    this.list = frames;
    this.pictures = new Map();
    this.failed = new Map();
    this.underway = new Set();
    this.onLoad = onLoad;
    this.at = 0;
    this.step = 1;
    this.shown = null;
  }

  get length() {
    return this.list.length;
  }

  timeOf(index) {
    return this.list[index][1];
  }

  numberOf(index) {
    return this.list[index][0];
  }

  /** The still that a frame is, null for a frame of a clip. */
  stillOf(index) {
    return this.list[index][0] < FIRST_OF_CLIPS ? this.list[index][0] : null;
  }

  /** The last frame at or before a second, or the first of all. */
  indexAt(seconds) {
    let low = 0;
    let high = this.list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.list[middle][1] <= seconds + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The picture of a frame if it is here; asks for it and for what comes next. */
  want(index, step = 1) {
    this.at = index;
    this.step = step;
    this.fill();
    const picture = this.pictures.get(index);
    if (picture && picture !== this.shown) {
      if (this.shown && ![...this.pictures.values()].includes(this.shown)) this.shown.close();
      this.shown = picture;
    }
    return picture;
  }

  /** Play waits for this one; then come those a stride on from it. */
  need(index, step) {
    if (!this.has(index) && !this.underway.has(index)) this.fetch(index);
    this.want(this.at, step);
  }

  has(index) {
    return this.pictures.has(index) || this.failed.has(index);
  }

  fill() {
    for (const index of [...this.pictures.keys()]) {
      if (index < this.at - BEHIND || index > this.at + AHEAD * this.step + 5) {
        if (this.pictures.get(index) !== this.shown) this.pictures.get(index).close(); // the one on the page stays until the next is here
        this.pictures.delete(index);
      }
    }
    for (let ahead = 0; ahead <= AHEAD && this.underway.size < AT_ONCE; ahead += 1) {
      const index = this.at + ahead * this.step;
      if (index < this.length && !this.has(index) && !this.underway.has(index)) this.fetch(index);
    }
    for (let behind = 1; behind <= 3 && this.underway.size < AT_ONCE; behind += 1) {
      const index = this.at - behind;
      if (index >= 0 && !this.has(index) && !this.underway.has(index)) this.fetch(index);
    }
  }

  async fetch(index) {
    this.underway.add(index);
    try {
      const answer = await fetch(`/api/tows/${this.tow}/frames/${this.numberOf(index)}`);
      if (PASSING.has(answer.status)) throw new Error(`the appliance answered ${answer.status}`);
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({}));
        this.failed.set(index, problem.message || `the appliance answered ${answer.status}`);
      } else {
        this.pictures.set(index, await createImageBitmap(await answer.blob()));
      }
      this.underway.delete(index);
    } catch {
      setTimeout(() => (this.underway.delete(index), this.fill()), AGAIN_MS); // the link is away, or the sign-in ended: not asked for again at once
      return;
    }
    this.onLoad(index);
    this.fill();
  }
}
