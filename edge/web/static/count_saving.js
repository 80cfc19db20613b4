// Keeps a count: in this browser at once, at the appliance every two seconds while somebody is at it, whether or not something was
// marked. A beat that does not follow the clicks tells nobody on the network when there was one.
//
// A copy in this browser is forgotten only when the appliance has said that exactly this copy is on disk, or when a person chose
// another. What was sent and not answered is sent again to the letter: the appliance knows its own content and tells it as saved once.

import { writeHeaders } from "/static/csrf.js";
import { isSame } from "/static/count_drafts.js";
import { Copies } from "/static/count_kept.js";

const BEAT_MS = 2000;
const LIMIT_MS = 15000;

const anyName = () => [...crypto.getRandomValues(new Uint8Array(8))].map((one) => one.toString(16).padStart(2, "0")).join("");

export class Saving {
  /** `show(kind, words)` says how it stands: good, away, bad, signed_out, other, older, ended; `read()` gives the content; `isActive()`
   * whether somebody is at the page; `onOutdated(saved)` gets what another window saved since; `address` is where it is fetched and saved. */
  constructor({ count, uuid, who, read, show, isActive, onOutdated, address = `/api/counts/${count}` }) {
    Object.assign(this, { address, who, read, show, isActive, onOutdated });
    this.window = anyName();
    this.copies = new Copies(uuid);
    this.revision = 0;
    this.turn = 0; // grows with each act, and where only the place is to be kept
    this.actTurn = 0; // the last one that was an act
    this.ackedTurn = 0; // the last one that the appliance has
    this.unanswered = null; // {turn, body} that was sent and not answered
    this.replaced = []; // {window, turn, at}: copies that are forgotten when turn `at` of this window is saved
    this.madeUtc = new Date().toISOString(); // of the last act
    this.dirty = false;
    this.over = false; // no save until a person chose, or for good
    this.loading = false;
    this.sending = null;
  }

  get unsaved() {
    return this.turn > this.ackedTurn;
  }

  get hasActs() {
    return this.actTurn > this.ackedTurn;
  }

  /** Fetch what was saved; what this browser kept of the same revision goes on. Copies of another are in `conflicts`, for a person
   * to choose. From then on this window is the one. */
  async load(take) {
    let own;
    this.loading = true;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      own = await this.fetch();
      own.conflicts = [];
      this.replaced = [];
      this.over = false;
      const copies = await this.stillOpen(own);
      const mine = copies.find((one) => one.revision === own.content.revision);
      this.revision = own.content.revision;
      take(mine ? mine.content : own.content);
      own.conflicts = copies.filter((one) => one !== mine);
      if (mine) {
        own.resumed = mine.has_acts ? "unsaved work of this browser was taken up" : "";
        this.replace(mine);
        this.touch(mine.has_acts);
      }
      await this.beat();
      if (!this.over) break; // another window may have saved in between: look again, then take over
      await this.copies.drop(this.window, this.turn);
    }
    this.loading = false;
    setInterval(() => (this.dirty || this.isActive()) && this.beat(), BEAT_MS);
    document.addEventListener("visibilitychange", () => document.hidden && this.leave());
    window.addEventListener("pagehide", () => this.leave());
    return own;
  }

  /** The copies that the appliance does not have; `own` becomes newer if one of them was on its way. */
  async stillOpen(own) {
    const found = [];
    for (const copy of await this.copies.all()) {
      if (copy.sent && copy.sent.revision + 1 === own.content.revision && (await this.isSaved(copy.sent))) copy.revision = own.content.revision;
      const isOlder = copy.revision !== own.content.revision;
      if (isOlder && (!copy.has_acts || isSame(copy.content, own.content))) await this.copies.drop(copy.window, copy.turn);
      else found.push(copy);
    }
    return found;
  }

  /** Whether the appliance knows this very save as its last. */
  async isSaved(sent) {
    const answer = await this.post(JSON.stringify(sent)).catch(() => null);
    return answer?.ok ?? false;
  }

  async fetch() {
    const answer = await fetch(this.address, { signal: AbortSignal.timeout(LIMIT_MS) });
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    throw Object.assign(new Error(told.message || `the appliance answered ${answer.status}`), { status: answer.status });
  }

  post(body) {
    const headers = writeHeaders({ "content-type": "application/json" });
    return fetch(this.address, { method: "POST", headers, body, signal: AbortSignal.timeout(LIMIT_MS) });
  }

  /** When this window's work is saved, the copy that it took up or was chosen over is forgotten. */
  replace({ window: name, turn }) {
    this.replaced.push({ window: name, turn, at: this.turn + 1 });
  }

  /** Something was done: it is in this browser before anything else happens. */
  touch(isAct = true) {
    this.turn += 1;
    if (isAct) {
      this.actTurn = this.turn;
      this.madeUtc = new Date().toISOString();
    }
    this.dirty = true;
    this.keep();
  }

  keep() {
    const sent = this.unanswered && JSON.parse(this.unanswered.body);
    const copy = { window: this.window, turn: this.turn, made_utc: this.madeUtc, revision: this.revision, content: this.read(), sent, has_acts: this.hasActs };
    if (!this.copies.keep(copy)) this.show("bad", "this browser keeps nothing: stay on the page until it is saved");
  }

  leave() {
    if (this.unsaved) this.keep(); // with where it was last
    this.beat();
  }

  async beat() {
    if (this.over) return true;
    this.sending ??= this.send().finally(() => (this.sending = null));
    return this.sending;
  }

  /** Saves until all of it is saved, for a signature. Whether it is. */
  async finish() {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (this.sending) await this.sending;
      if (!(await this.beat()) || this.over) return false;
      if (!this.unsaved && !this.unanswered) return true;
    }
    return false;
  }

  async send() {
    const again = this.unanswered;
    const going = again ?? { turn: this.turn, body: JSON.stringify({ ...this.read(), revision: this.revision }) };
    this.unanswered = going;
    if (!again) this.dirty = false;
    if (this.unsaved) this.keep();
    try {
      const answer = await this.post(going.body);
      const told = await answer.json().catch(() => ({}));
      if (answer.ok) {
        this.saved(going, told.revision);
        return true;
      }
      this.dirty = true;
      await this.refused(answer.status, told);
    } catch {
      this.dirty = true;
      this.keep();
      this.show("away", "No link: kept in this browser, sent when it is back");
    }
    return false;
  }

  /** Exactly `going` is on disk. What was done since is kept on top of it. */
  saved(going, revision) {
    this.revision = revision;
    this.unanswered = null;
    this.ackedTurn = Math.max(this.ackedTurn, going.turn);
    if (this.unsaved) {
      this.dirty = true;
      this.keep();
    } else {
      this.copies.drop(this.window, going.turn);
    }
    for (const one of this.replaced.filter(({ at }) => at <= going.turn)) this.copies.drop(one.window, one.turn);
    this.replaced = this.replaced.filter(({ at }) => at > going.turn);
    this.show("good", `saved ${new Date().toISOString().slice(11, 19)}Z`);
  }

  async refused(status, told) {
    const isSettled = status < 500 && ![401, 403, 408, 429].includes(status); // else the same is asked again
    if (isSettled) this.unanswered = null;
    if (!this.unsaved && !this.loading) this.touch(false); // where it was and what was looked at is kept too
    else this.keep();
    const words = `${(told.message || `not saved: ${status}`).replace(/\.$/, "")}. ${told.advice || ""}`;
    if (status === 401) this.show("signed_out");
    else if (told.code === "csrf_refused") await this.renewToken(words);
    else if (told.code === "count_outdated") await this.outdated();
    else if (told.code === "count_refused") await this.ended(words);
    else this.show("bad", words);
  }

  async outdated() {
    this.over = true;
    if (this.loading) return;
    this.show("older");
    this.onOutdated();
  }

  /** Refused for good where the count is signed or set aside; else what was sent was wrong, and the next may not be. */
  async ended(words) {
    const own = await this.fetch().catch(() => null);
    if (!own || own.state !== "open") this.over = true;
    this.show(this.over ? "ended" : "bad", words);
  }

  /** The page's token for writes may be of before the appliance started again; or somebody else signed in here meanwhile. */
  async renewToken(words) {
    const answer = await fetch("/api/me").catch(() => null);
    const told = answer?.ok ? await answer.json() : null;
    const place = document.querySelector('meta[name="csrf-token"]');
    if (answer?.status === 401) this.show("signed_out");
    else if (told && told.name !== this.who) this.show("other", told.name);
    else if (!told || !place || place.content === told.csrf_token) this.show("bad", words);
    else place.content = told.csrf_token; // the next beat carries it
  }
}
