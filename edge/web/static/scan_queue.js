// What a person did on the check page and the appliance has not said to be on disk: sent one after the other, kept in this browser until then.
//
// Each act has a uuid that is made here, so that an act that is sent twice (an answer was lost, the page was left) is one act.
const AGAIN_MS = 3000;
const ANSWER_MS = 30_000; // a link that is lost in the middle says nothing
const KEEPALIVE_BYTES = 30_000; // a browser takes no more than 64 KiB of requests that outlive their page

let count = 0;

/** A version 4 uuid; `crypto.randomUUID` is there on https and localhost only. */
export function newUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return [...bytes].map((byte, at) => (([4, 6, 8, 10].includes(at) ? "-" : "") + byte.toString(16).padStart(2, "0"))).join("");
}

export class ActQueue {
  /** `call(path, body, options)` asks the appliance; `ontaken(answer, act)`, `onrefused(error, act)`; `onlost(error)`: tried again by itself; `onsize(size)`. */
  constructor({ scan, who, call, ontaken, onrefused, onlost, onsize }) {
    Object.assign(this, { call, who, ontaken, onrefused, onlost, onsize });
    this.prefix = `scan-acts/${scan}/`;
    this.acts = [];
    this.chain = Promise.resolve();
    addEventListener("online", () => this.wake?.());
    addEventListener("beforeunload", (event) => {
      if (!this.size) return;
      event.preventDefault();
      event.returnValue = "";
    });
  }

  get size() {
    return this.acts.length;
  }

  /** Acts that this person did on an earlier visit and that were not answered; those of others stay where they are. Returns how many those are. */
  resume() {
    const found = [];
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(this.prefix)) found.push({ name, ...JSON.parse(localStorage.getItem(name)) });
    } catch {
      return 0; // a browser that keeps nothing
    }
    const mine = found.filter((act) => act.who === this.who).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const act of mine) this.enlist(act);
    return found.length - mine.length;
  }

  /** Begin an act. `keep`: it may be sent again. Returns a promise of its answer; undefined if it was refused. */
  add(path, body, { keep = true, ...more } = {}) {
    const name = `${this.prefix}${String(Date.now()).padStart(15, "0")}-${String((count += 1)).padStart(6, "0")}-${newUuid()}`;
    const act = { name, who: this.who, path, body, isOnce: !keep, ...more };
    if (keep) {
      try {
        localStorage.setItem(name, JSON.stringify({ who: act.who, path, body, ...more }));
      } catch {
        // The act then waits in this page alone; leaving it is warned of.
      }
    }
    return this.enlist(act);
  }

  enlist(act) {
    this.acts.push(act);
    this.onsize(this.size);
    return this.after(() => this.send(act));
  }

  /** Something else once everything before it is through. */
  after(work) {
    const done = this.chain.then(work);
    this.chain = done.catch(() => null);
    return done;
  }

  async send(act) {
    for (;;) {
      try {
        const answer = await this.call(act.path, act.body, { keepalive: JSON.stringify(act.body).length < KEEPALIVE_BYTES, signal: AbortSignal.timeout(ANSWER_MS) });
        this.settle(act);
        this.ontaken(answer, act);
        return answer;
      } catch (error) {
        if (act.isOnce || (error.status && error.status !== 401 && error.status < 500)) {
          this.settle(act);
          await this.onrefused(error, act);
          return undefined;
        }
        this.onlost(error);
        await new Promise((resolve) => {
          this.wake = resolve;
          setTimeout(resolve, AGAIN_MS);
        });
      }
    }
  }

  settle(act) {
    this.acts = this.acts.filter((one) => one !== act);
    try {
      localStorage.removeItem(act.name);
    } catch {
      // It was never kept.
    }
    this.onsize(this.size);
  }
}
