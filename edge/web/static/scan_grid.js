// One page of the montage: every object at the same scale, cropped where it is larger than its cell, and said so.

export const ACROSS = 8;
export const PER_PAGE = 40;
export const SCALES = [1, 0.5, 1 / 3, 0.25, 1 / 6, 0.125, 1 / 16]; // screen pixels per pixel of the scan
const FOOTER_PX = 31; // of a vignette: the bar that EcoTaxa's users see; the montage has its own
const WORDS = { single: "● single", multiple: "▲ multiple" };

/** What holds of an object: decided by a person, else proposed by its score. */
export function standsAs(row, threshold) {
  if (row.decision) return row.decision;
  if (row.multiple_score === null || threshold === null) return "single";
  return row.multiple_score > threshold ? "multiple" : "single";
}

export function verdictOf(row, threshold) {
  const words = WORDS[standsAs(row, threshold)];
  return row.decision ? words : `${words}?`;
}

/** The score in words: a part that people cut has none before the scan is processed again. */
export function scoreOf(row, threshold) {
  if (row.multiple_score !== null) return row.multiple_score.toFixed(2);
  return row.cut_from && threshold !== null ? "not scored yet" : "–";
}

export class Montage {
  constructor(place, { scan, pixelMm }) {
    this.place = place;
    this.scan = scan;
    this.pixelMm = pixelMm;
    this.scale = SCALES[1];
    this.threshold = null;
    this.kept = new Map();
    this.ahead = [];
  }

  address(row) {
    return `/api/scans/${this.scan}/objects/${row.key}/vignette?of=${encodeURIComponent(row.vignette)}`;
  }

  /** Screen pixels of one millimetre. */
  millimetrePx() {
    return this.scale / this.pixelMm;
  }

  draw(rows, { here, selected, threshold }) {
    this.threshold = threshold;
    const wanted = new Map(rows.map((row) => [row.key, this.kept.get(row.key) ?? this.make(row)]));
    this.kept = wanted;
    const now = [...wanted.values()];
    if (now.length !== this.place.children.length || now.some((cell, index) => this.place.children[index] !== cell)) this.place.replaceChildren(...now);
    for (const row of rows) this.tell(wanted.get(row.key), row, { isHere: row.key === here, isSelected: selected.has(row.key) });
  }

  make(row) {
    const cell = document.createElement("div");
    cell.className = "cell-object";
    cell.id = `object-${row.key}`;
    cell.dataset.key = row.key;
    cell.setAttribute("role", "option");
    const pic = document.createElement("div");
    pic.className = "pic";
    const frame = document.createElement("div");
    frame.className = "frame";
    const picture = new Image();
    picture.alt = `object ${row.key}`;
    picture.draggable = false;
    const lacking = document.createElement("span");
    lacking.className = "lacking";
    picture.addEventListener("load", () => this.fitPicture(cell, row));
    picture.addEventListener("error", () => {
      lacking.textContent = "no picture: its vignette cannot be read";
      lacking.classList.add("told");
    });
    picture.src = this.address(row);
    frame.append(picture);
    const bar = document.createElement("i");
    bar.className = "mm";
    const note = document.createElement("span");
    note.className = "cropped";
    const part = document.createElement("span");
    part.className = "part";
    pic.append(frame, lacking, bar, note, part);
    const says = document.createElement("div");
    says.className = "says";
    for (const name of ["verdict", "score"]) {
      const line = document.createElement(name === "verdict" ? "b" : "span");
      line.className = name;
      says.append(line);
    }
    cell.append(pic, says);
    return cell;
  }

  /** At the common scale, its middle in the middle of the cell. */
  fitPicture(cell, row) {
    const picture = cell.querySelector("img");
    const pic = cell.querySelector(".pic");
    if (!picture.naturalWidth) return;
    const [width, height] = [picture.naturalWidth * this.scale, picture.naturalHeight * this.scale];
    const frame = cell.querySelector(".frame");
    frame.style.width = `${width}px`;
    frame.style.height = `${height - FOOTER_PX * this.scale}px`;
    picture.style.width = `${width}px`;
    picture.style.height = `${height}px`;
    picture.style.imageRendering = this.scale >= 1 ? "pixelated" : "auto";
    const isCropped = row.width_px * this.scale > pic.clientWidth || row.height_px * this.scale > pic.clientHeight;
    cell.querySelector(".cropped").textContent = isCropped ? `crop ${this.sizeWords(row)}` : "";
    this.showWhole(cell, picture, isCropped);
    const bar = cell.querySelector(".mm");
    bar.style.width = `${this.millimetrePx()}px`;
    bar.hidden = this.millimetrePx() > pic.clientWidth - 8;
  }

  /** Of what is cropped the whole beside it, small, framed and said to be so. */
  showWhole(cell, picture, isCropped) {
    cell.querySelector(".whole")?.remove();
    if (!isCropped) return;
    const whole = picture.cloneNode();
    whole.className = "whole";
    whole.removeAttribute("style");
    whole.alt = "the whole object, smaller";
    whole.title = "the whole object, smaller";
    cell.querySelector(".pic").append(whole);
  }

  sizeWords(row) {
    return `${(row.width_px * this.pixelMm).toFixed(1)}×${(row.height_px * this.pixelMm).toFixed(1)} mm`;
  }

  tell(cell, row, { isHere, isSelected }) {
    cell.querySelector(".verdict").textContent = verdictOf(row, this.threshold);
    const score = scoreOf(row, this.threshold);
    cell.querySelector(".score").textContent = score === "not scored yet" ? "unscored" : score.replace(/^0/, "");
    cell.querySelector(".score").classList.toggle("lacks", row.multiple_score === null);
    cell.querySelector(".part").textContent = row.cut_from ? "✂" : "";
    cell.dataset.stands = standsAs(row, this.threshold);
    cell.dataset.decided = row.decision ? "1" : "";
    cell.classList.toggle("here", isHere);
    cell.setAttribute("aria-selected", String(isSelected));
    cell.setAttribute("aria-label", `${row.key}, ${verdictOf(row, this.threshold)}, score ${score}, ${this.sizeWords(row)}${row.cut_from ? ", cut from another" : ""}`);
    if (isHere) this.place.setAttribute("aria-activedescendant", cell.id);
  }

  rescale(rows) {
    for (const row of rows) if (this.kept.has(row.key)) this.fitPicture(this.kept.get(row.key), row);
  }

  /** Have the pictures of the next page fetched and kept before it is shown. */
  fetchAhead(rows) {
    this.ahead = rows.map((row) => {
      const picture = new Image();
      picture.src = this.address(row);
      return picture;
    });
  }
}
