// What a page says about an act: trouble, which stays until it is closed or something goes well, and notes, which pass by themselves.
const NOTE_MS = 5000;

export class Says {
  constructor(box) {
    this.box = box;
    this.words = box.querySelector("span");
    box.querySelector("button").addEventListener("click", () => this.clear());
  }

  trouble(words) {
    this.show(words, false);
  }

  note(words) {
    this.show(words, true);
    this.timer = setTimeout(() => this.clear(), NOTE_MS);
  }

  /** A note that stays, with something that can be done about it. */
  offer(words, label, act) {
    this.show(words, true);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "offer";
    button.textContent = label;
    button.addEventListener("click", () => {
      this.clear();
      act();
    });
    this.words.after(button);
  }

  clear() {
    this.show("", false);
  }

  /** Something went well: trouble is over, a note stays its time. */
  well() {
    if (!this.box.classList.contains("note")) this.clear();
  }

  show(words, isNote) {
    clearTimeout(this.timer);
    this.box.querySelector(".offer")?.remove();
    this.words.textContent = words;
    this.box.classList.toggle("note", isNote);
    this.box.setAttribute("role", isNote ? "status" : "alert");
    this.box.hidden = !words;
  }
}
