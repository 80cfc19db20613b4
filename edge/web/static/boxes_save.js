// Saves what was decided about the boxes of an image, soon after it was done, and keeps it in this browser until the appliance has said
// that exactly that is on disk. What was sent and not answered is sent again to the letter: decisions are known by their uuid.

import { writeHeaders } from "/static/csrf.js";

const SOON_MS = 700;
const AGAIN_MS = 3000;
const LIMIT_MS = 15000;

export class BoxSaving {
  /** `show(kind, words)` says how it stands: good, busy, waiting, away, bad; `onOutdated()`: somebody else decided something since. */
  constructor({ file, boxes, show, onOutdated, onSaved }) {
    Object.assign(this, { file, boxes, show, onOutdated, onSaved });
    this.name = `boxes/${boxes.run}`;
    this.unanswered = null; // {sent, body} that was sent and not answered
    this.timer = null;
    this.sending = null;
    this.over = false; // no save until a person chose
  }

  /** Something was done: it is in this browser before anything else happens. */
  touch() {
    this.keep();
    if (this.over) return;
    if (this.boxes.unsaved) this.show("waiting", "not saved yet");
    this.soon(SOON_MS);
  }

  soon(delay_ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), delay_ms);
  }

  get unsaved() {
    return this.boxes.unsaved || this.unanswered !== null;
  }

  keep() {
    try {
      if (!this.unsaved) localStorage.removeItem(this.name);
      else {
        const { revision, isReviewed } = this.boxes;
        const content = { revision, isReviewed, states: this.boxes.kept(), body: this.unanswered?.body ?? null };
        localStorage.setItem(this.name, JSON.stringify(content));
      }
      return true;
    } catch {
      this.show("bad", "this browser keeps nothing: stay on the page until it is saved");
      return false;
    }
  }

  /** What this browser kept of this result, or null. */
  kept() {
    try {
      return JSON.parse(localStorage.getItem(this.name));
    } catch {
      return null;
    }
  }

  forget() {
    try {
      localStorage.removeItem(this.name);
    } catch {
      // It is offered again.
    }
  }

  /** Save now. Whether all of it is saved. */
  async flush() {
    clearTimeout(this.timer);
    for (let attempt = 0; attempt < 3 && this.unsaved && !this.over; attempt += 1) {
      this.sending ??= this.send().finally(() => (this.sending = null));
      if (!(await this.sending)) return false;
    }
    return !this.unsaved;
  }

  async send() {
    const { boxes } = this;
    if (!this.unanswered) {
      const sent = boxes.pending();
      const body = { run: boxes.run, revision: boxes.revision, decisions: sent.decisions, reviewed: sent.reviewed };
      this.unanswered = { sent, body: JSON.stringify(body) };
    }
    const going = this.unanswered;
    this.keep();
    this.show("busy", "saving");
    try {
      const answer = await this.post(going.body);
      const told = await answer.json().catch(() => ({}));
      if (answer.ok) {
        this.unanswered = null;
        boxes.saved(going.sent, told);
        this.keep();
        this.show("good", `saved ${new Date().toISOString().slice(11, 19)}Z`);
        this.onSaved();
        if (boxes.unsaved) this.soon(SOON_MS);
        return true;
      }
      await this.refused(answer.status, told);
    } catch {
      this.show("away", "not saved, no link: kept in this browser, sent when it is back");
      this.soon(AGAIN_MS);
    }
    return false;
  }

  post(body, options = {}) {
    const headers = writeHeaders({ "content-type": "application/json" });
    return fetch(`/api/files/${this.file}/decisions`, { method: "POST", headers, body, signal: AbortSignal.timeout(LIMIT_MS), ...options });
  }

  async refused(status, told) {
    const isSettled = status < 500 && ![401, 403, 408, 429].includes(status); // else the same is asked again
    if (isSettled) this.unanswered = null;
    this.keep();
    const words = `${(told.message || `the appliance answered ${status}`).replace(/\.$/, "")}. ${told.advice || ""}`;
    if (told.code === "decision_outdated") {
      this.over = true;
      this.show("bad", "not saved: somebody else changed this image; kept in this browser");
      this.onOutdated();
    } else if (status === 401) {
      this.show("bad", "not saved: signed out; kept in this browser. Sign in again in another tab");
      this.soon(AGAIN_MS);
    } else if (told.code === "csrf_refused") {
      await this.renewToken();
      this.show("away", "not saved yet: kept in this browser, tried again");
      this.soon(AGAIN_MS);
    } else {
      this.show("bad", `not saved: ${words} Kept in this browser`);
      if (!isSettled) this.soon(AGAIN_MS);
    }
  }

  /** The page's token may be of before the appliance started again. */
  async renewToken() {
    const answer = await fetch("/api/me").catch(() => null);
    const told = answer?.ok ? await answer.json() : null;
    const place = document.querySelector('meta[name="csrf-token"]');
    if (told?.csrf_token && place) place.content = told.csrf_token;
  }
}
