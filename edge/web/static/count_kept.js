// Copies of a count that this browser keeps until the appliance has said that exactly they are on disk: one for each window, so that
// no window writes over another's. In localStorage at once, for a tab that is closed or crashes; and in IndexedDB, written through
// to the medium, for a browser that is killed or a laptop whose battery ends: localStorage reaches the disk seconds to a minute later.

const STORE = "copies";
const REMEMBERED_MS = 7 * 86_400_000; // that a copy was forgotten: after a kill localStorage may have it again

function open() {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open("counts", 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}

function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Copies of one count. A copy is {window, turn, made_utc, revision, content, sent, has_acts}: `turn` grows with each act of its window,
 * `revision` is what it was made from, `sent` what was on its way when it was kept and not answered, or null; without acts it only
 * says where the window was. */
export class Copies {
  constructor(count) {
    this.prefix = `count/${count}/`;
    this.database = open();
    this.waiting = null; // the newest copy that is still to be written through
    this.writing = null;
  }

  /** Every copy, the newest first. */
  async all() {
    const found = new Map();
    for (const name of this.names()) found.set(name, this.read(name));
    for (const { key, turn, copy } of await this.rows()) {
      if (!(found.get(key)?.turn > turn)) found.set(key, copy); // null: forgotten
    }
    return [...found.values()].filter((copy) => copy?.content).sort((a, b) => (a.made_utc < b.made_utc ? 1 : -1));
  }

  async rows() {
    const database = await this.database;
    if (!database) return [];
    try {
      const store = database.transaction(STORE, "readwrite").objectStore(STORE);
      const rows = await answered(store.getAll());
      for (const row of rows) if (!row.copy && row.at_ms < Date.now() - REMEMBERED_MS) store.delete(row.key);
      return rows.filter((row) => row.key.startsWith(this.prefix));
    } catch {
      return []; // what localStorage has is all there is
    }
  }

  /** Keep a copy. False if this browser takes none. */
  keep(copy) {
    let kept = true;
    try {
      localStorage.setItem(this.prefix + copy.window, JSON.stringify(copy));
    } catch {
      kept = false;
    }
    this.waiting = copy;
    this.writing ??= this.through().finally(() => (this.writing = null));
    return kept;
  }

  /** A copy that the appliance has, or that a person put aside. What was kept of that window since then stays. */
  async drop(name, turn) {
    if (this.read(this.prefix + name)?.turn === turn) this.attempt(() => localStorage.removeItem(this.prefix + name));
    if (this.waiting?.window === name && this.waiting.turn === turn) this.waiting = null;
    await this.writing;
    const database = await this.database;
    if (!database) return;
    try {
      const store = database.transaction(STORE, "readwrite", { durability: "strict" }).objectStore(STORE);
      const key = this.prefix + name;
      const row = await answered(store.get(key));
      if (!(row?.turn > turn)) await answered(store.put({ key, turn, copy: null, at_ms: Date.now() }));
    } catch {
      // It is told apart by what is in it when the page is opened again.
    }
  }

  async through() {
    const database = await this.database;
    while (database && this.waiting) {
      const copy = this.waiting;
      this.waiting = null;
      try {
        const work = database.transaction(STORE, "readwrite", { durability: "strict" });
        const written = answered(work.objectStore(STORE).put({ key: this.prefix + copy.window, turn: copy.turn, copy }));
        work.commit();
        await written;
      } catch {
        return; // localStorage has it
      }
    }
  }

  names() {
    return this.attempt(() => Object.keys(localStorage).filter((name) => name.startsWith(this.prefix))) ?? [];
  }

  read(name) {
    return this.attempt(() => JSON.parse(localStorage.getItem(name)));
  }

  attempt(work) {
    try {
      return work();
    } catch {
      return null;
    }
  }
}
