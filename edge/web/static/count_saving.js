// Keeps a count: in this browser at once, at the appliance every two seconds while somebody is at it, whether or not something was
// marked. A beat that does not follow the clicks tells nobody on the network when there was one.

import { writeHeaders } from "/static/csrf.js";

const BEAT_MS = 2000;
const LIMIT_MS = 15000;

export class Saving {
  /** `show(kind, words)` says how it stands; `read()` gives the content; `isActive()` whether somebody is at the page. */
  constructor(count, read, show, isActive) {
    this.count = count;
    this.key = `count/${count}`;
    this.read = read;
    this.show = show;
    this.isActive = isActive;
    this.revision = 0;
    this.dirty = false;
    this.over = false;
    this.sending = null;
  }

  /** Fetch what was saved; what this browser kept and could not send goes on top of it. From then on this window is the one. */
  async load(take) {
    let own;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      own = await this.fetch();
      const kept = this.kept();
      if (kept && kept.revision === own.content.revision) {
        own.content = kept;
        own.resumed = "unsaved work of this browser was taken up";
      } else if (kept) {
        own.conflict = kept;
      }
      this.revision = own.content.revision;
      take(own.content);
      this.over = false;
      if ((await this.beat()) || !this.over) break; // another window may have saved in between: look again, then take over
    }
    setInterval(() => (this.dirty || this.isActive()) && this.beat(), BEAT_MS);
    document.addEventListener("visibilitychange", () => document.hidden && this.beat());
    return own;
  }

  async fetch() {
    const answer = await fetch(`/api/counts/${this.count}`);
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message || `the appliance answered ${answer.status}`);
    return answer.json();
  }

  kept() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  forget() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // Nothing was kept there either.
    }
  }

  /** Something was done: it is in this browser before anything else happens. */
  touch() {
    this.dirty = true;
    this.keep();
  }

  keep() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ ...this.read(), revision: this.revision }));
    } catch {
      this.show("bad", "this browser keeps nothing: stay on the page until it is saved");
    }
  }

  async beat() {
    if (this.over) return true;
    if (this.sending) return this.sending;
    this.sending = this.send().finally(() => (this.sending = null));
    return this.sending;
  }

  async send() {
    const wasDirty = this.dirty;
    this.dirty = false;
    const body = JSON.stringify({ ...this.read(), revision: this.revision });
    try {
      const answer = await fetch(`/api/counts/${this.count}`, {
        method: "POST",
        headers: writeHeaders({ "content-type": "application/json" }),
        body,
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      const told = await answer.json().catch(() => ({}));
      if (answer.ok) {
        this.revision = told.revision;
        if (!this.dirty) this.forget();
        else this.touch();
        this.show("good", `saved ${new Date().toISOString().slice(11, 19)}Z`);
        return true;
      }
      this.dirty = this.dirty || wasDirty;
      this.keep();
      if (told.code === "csrf_refused" && (await this.renewToken())) return false; // the next beat carries it
      if (told.code === "count_outdated") {
        if (await this.wasOurs(body)) return true;
        this.over = true;
      }
      this.show(this.over ? "over" : "bad", `${told.message || `not saved: ${answer.status}`}. ${told.advice || ""}`);
    } catch {
      this.dirty = this.dirty || wasDirty;
      this.keep();
      this.show("away", "no link: kept in this browser, sent when it is back");
    }
    return false;
  }

  /** The page's token for writes may be of before the appliance started again. */
  async renewToken() {
    const answer = await fetch("/api/me").catch(() => null);
    const token = answer && answer.ok ? (await answer.json()).csrf_token : null;
    const place = document.querySelector('meta[name="csrf-token"]');
    if (!token || !place || place.content === token) return false;
    place.content = token;
    return true;
  }

  /** A save whose answer was lost on the way is no other window's. */
  async wasOurs(body) {
    const answer = await fetch(`/api/counts/${this.count}`).catch(() => null);
    if (!answer || !answer.ok) return false;
    const content = (await answer.json()).content;
    const sent = JSON.parse(body);
    if (content.revision !== sent.revision + 1 || JSON.stringify(content.marks) !== JSON.stringify(sent.marks)) return false;
    this.revision = content.revision;
    this.dirty = true;
    return true;
  }
}
