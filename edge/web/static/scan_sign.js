// The signature of a scan: what is signed is shown once more, and what speaks against it.

const el = (id) => document.getElementById(id);

const SHAPES = { ok: "✓", look: "△", wrong: "✕", unknown: "–" };

/** What the checks found as lines of a list. */
export function findingLines(findings) {
  return findings.map((one) => {
    const line = document.createElement("li");
    const mark = document.createElement("span");
    const words = document.createElement("span");
    mark.textContent = SHAPES[one.level];
    mark.setAttribute("aria-label", one.level);
    words.textContent = `${one.words}${one.advice ? `. ${one.advice}` : ""}`;
    line.className = one.level === "wrong" ? "against" : "";
    line.append(mark, words);
    return line;
  });
}

export class Signing {
  constructor({ call, saved, onsigned }) {
    this.call = call;
    this.saved = saved;
    this.onsigned = onsigned;
    el("sign-now")?.addEventListener("click", () => this.sign());
    el("withdraw-form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.withdraw();
    });
  }

  get isOpen() {
    return el("sign").open;
  }

  async open() {
    this.say("");
    el("sign").showModal();
    await this.saved(); // what is signed is what is on disk
    const found = await this.call("check").catch((error) => this.say(error.message));
    if (!found) return;
    this.found = found;
    const lines = found.words.map(([what, value]) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      const cell = document.createElement("td");
      head.scope = "row";
      head.textContent = what;
      cell.textContent = value;
      row.append(head, cell);
      return row;
    });
    el("sign-facts").replaceChildren(...lines);
    el("sign-findings").replaceChildren(...findingLines(found.findings));
    if (el("sign-now")) el("sign-now").disabled = !found.may_sign;
  }

  say(words) {
    el("sign-trouble").textContent = words;
    el("sign-trouble").hidden = !words;
  }

  async sign() {
    const answer = await this.call("sign", { revision: this.found?.revision ?? "" }).catch((error) => this.say(error.message));
    if (answer) this.onsigned();
  }

  async withdraw() {
    const reason = el("withdraw-reason").value.trim();
    if (!reason) return this.say("Say why: it stands in the audit trail.");
    const answer = await this.call("withdraw", { reason }).catch((error) => this.say(error.message));
    if (answer) this.onsigned();
  }
}
