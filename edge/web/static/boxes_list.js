// The list of boxes beside the picture: in step with it, with what can be done to the one that is selected and how saving stands.

const WORDS = {
  model: "model", candidate: "below the threshold", confirmed: "confirmed", moved: "moved by a person", relabelled: "renamed by a person",
  person: "added by a person", rejected: "rejected",
};
const SHAPES = {
  model: [["path", { d: "M2 2h12v12H2z" }]],
  candidate: [["path", { d: "M2 2h12v12H2z", "stroke-dasharray": "1.5 2.5" }]],
  person: [["path", { d: "M2 2h12v12H2z", "stroke-dasharray": "4 2.4" }]],
  rejected: [["path", { d: "M2 2h12v12H2zM2 2l12 12M14 2 2 14" }]],
  confirmed: [["path", { d: "M2 2h12v12H2zM4.5 8l2.5 3 5-6" }]],
};
SHAPES.relabelled = SHAPES.confirmed;
SHAPES.moved = [["path", { d: "M5 5h9v9H5zM6.5 9.5l2 2.5 4-5" }], ["path", { d: "M2 2h9v9H2z", "stroke-dasharray": "1.5 2" }]];
const SVG = "http://www.w3.org/2000/svg";
const MOST_LABELS = 9;

function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function sign(kind) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `box-sign box-${kind}`);
  for (const [name, attributes] of SHAPES[kind]) {
    const shape = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    svg.append(shape);
  }
  return svg;
}

export class BoxList {
  constructor(panel, editor) {
    Object.assign(this, { panel, editor });
    this.find = (name) => panel.querySelector(`[data-boxes="${name}"]`);
    this.rows = this.find("list");
    this.menu = this.find("labels");
    const actions = {
      toggle: () => editor.toggle(), reviewed: () => editor.review(), undo: () => editor.back(() => editor.boxes.undo()),
      redo: () => editor.back(() => editor.boxes.redo()), confirm: () => editor.confirm(), remove: () => editor.remove(),
      clear: () => editor.clear(), label: () => this.openMenu(), draw: () => editor.drawHere(),
    };
    for (const [name, action] of Object.entries(actions)) this.find(name).addEventListener("click", action);
    this.rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-key]");
      if (row) editor.select(row.dataset.box);
    });
    this.find("other").addEventListener("keydown", (event) => this.typed(event));
  }

  // How it stands ---------------------------------------------------------------------------------------------------

  /** Say how saving stands: good, busy, waiting, away or bad. */
  tell(kind, words) {
    const place = this.find("state");
    place.textContent = words;
    place.dataset.kind = kind;
  }

  /** One's own changes were made on what is no longer the newest: a person chooses. */
  ask(count, onTop, drop) {
    const place = this.find("choice");
    const words = `Somebody decided about this image since. ${count === 1 ? "One change" : `${count} changes`} of yours are not saved. `;
    const choose = (action) => () => {
      place.replaceChildren();
      action();
    };
    place.replaceChildren(
      words,
      made("button", { type: "button", textContent: "Put mine on top", onclick: choose(onTop) }),
      made("button", { type: "button", textContent: "Drop mine", onclick: choose(drop) }),
    );
  }

  show() {
    const { editor } = this;
    const { on, boxes } = editor;
    this.panel.classList.toggle("editing", on);
    this.find("toggle").setAttribute("aria-pressed", String(on));
    for (const place of this.panel.querySelectorAll("[data-while-editing]")) place.hidden = !on;
    if (!boxes) return;
    const shown = editor.shown();
    const stand = boxes.entries.filter((entry) => boxes.stands(entry)).length;
    const by = boxes.reviewedBy && !boxes.unsaved ? ` by ${boxes.reviewedBy}` : "";
    this.find("told").textContent = `${stand} ${stand === 1 ? "object stands" : "objects stand"}; ${boxes.isReviewed ? `reviewed${by}` : "not reviewed as a whole"}`;
    this.find("reviewed").setAttribute("aria-pressed", String(boxes.isReviewed));
    this.find("undo").disabled = !boxes.done.length;
    this.find("redo").disabled = !boxes.undone.length;
    for (const name of ["confirm", "remove", "label"]) this.find(name).disabled = !editor.entry;
    this.find("clear").disabled = !editor.entry?.model;
    this.find("remove").firstChild.textContent = editor.entry && !editor.entry.model ? "Remove " : "Reject ";
    if (on) this.showRows(shown);
    if (this.menuIsOpen && !editor.entry) this.closeMenu();
  }

  showRows(shown) {
    const { boxes, selected } = this.editor;
    const hadFocus = this.rows.contains(document.activeElement);
    const rows = shown.map((entry, at) => {
      const kind = boxes.kind(entry);
      const words = made("span", { className: "box-words" }, made("b", { textContent: entry.now.label }), made("span", { className: "sub", textContent: WORDS[kind] }));
      const score = made("span", { className: "n", textContent: entry.score === null ? "" : entry.score.toFixed(2) });
      const row = made("button", { type: "button", className: "box-row" }, made("span", { className: "n", textContent: `${at + 1}` }), sign(kind), words, score);
      row.dataset.key = "";
      row.dataset.box = entry.key;
      row.dataset.kind = kind;
      if (entry.key === selected) row.setAttribute("aria-current", "true");
      return made("li", {}, row);
    });
    this.rows.replaceChildren(...rows);
    const current = this.rows.querySelector("[aria-current]");
    if (!current) return;
    const place = current.parentElement;
    if (place.offsetTop < this.rows.scrollTop) this.rows.scrollTop = place.offsetTop;
    const below = place.offsetTop + place.offsetHeight - this.rows.clientHeight;
    if (below > this.rows.scrollTop) this.rows.scrollTop = below;
    if (hadFocus) current.focus({ preventScroll: true });
  }

  // The label menu --------------------------------------------------------------------------------------------------

  get menuIsOpen() {
    return !this.menu.hidden;
  }

  openMenu() {
    const { entry, boxes } = this.editor;
    if (!entry) return;
    const buttons = boxes.labels.slice(0, MOST_LABELS).map((label, at) => {
      const button = made("button", { type: "button", onclick: () => this.choose(label) }, made("kbd", { textContent: `${at + 1}` }), ` ${label}`);
      button.setAttribute("aria-pressed", String(label === entry.now.label));
      return button;
    });
    this.find("choices").replaceChildren(...buttons);
    this.find("other").value = "";
    this.find("all-labels").replaceChildren(...boxes.labels.map((label) => made("option", { value: label })));
    this.menu.hidden = false;
    this.menu.scrollIntoView({ block: "nearest" });
  }

  /** Whether it was open. */
  closeMenu() {
    const was = this.menuIsOpen;
    this.menu.hidden = true;
    return was;
  }

  choose(label) {
    this.closeMenu();
    this.editor.relabel(label);
    this.editor.canvas.focus({ preventScroll: true });
  }

  chooseNumber(number) {
    const label = this.editor.boxes.labels[number - 1];
    if (label && number <= MOST_LABELS) this.choose(label);
  }

  typed(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.closeMenu();
      this.editor.canvas.focus({ preventScroll: true });
    }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const label = event.target.value.trim().replace(/\s+/g, " ");
    if (label) this.choose(label);
  }
}
