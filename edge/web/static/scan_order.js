// Which objects of a scan are looked at, and in which order. No order depends on a decision: what is decided stays where it is.
import { standsAs } from "./scan_grid.js";

const SAMPLE_SHARE = 0.05; // of the low scores, to see what the classifier missed

/** A number from 0 to 1 that is always the same for a key: the sample is the same for everybody who looks. */
function chanceOf(key) {
  let hash = 2166136261;
  for (const letter of key) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

const by = (value) => (one, other) => value(other) - value(one) || one.y_px - other.y_px || one.x_px - other.x_px;

const SORTS = {
  score: by((row) => row.multiple_score ?? -1),
  size: by((row) => row.area_px2 ?? 0),
  grey: by((row) => -(row.mean_grey ?? 255)),
  position: by(() => 0),
};

const AMONG = {
  all: () => true,
  check: (row, threshold) => standsAs({ ...row, decision: null }, threshold) === "multiple" || chanceOf(row.key) < SAMPLE_SHARE,
  undecided: (row) => !row.decision,
  multiple: (row, threshold) => standsAs(row, threshold) === "multiple",
  single: (row, threshold) => standsAs(row, threshold) === "single",
  cut: (row) => Boolean(row.cut_from),
};

function within(value, { from, to }) {
  return (from === null || (value !== null && value >= from)) && (to === null || (value !== null && value <= to));
}

/** Keys in the order in which they are looked at. `wanted`: sort, among, label, score {from, to}, area_mm2 {from, to}. */
export function orderOf(rows, wanted, { threshold, pixelMm }) {
  const areaMm2 = (row) => (row.area_px2 === null ? null : row.area_px2 * pixelMm ** 2);
  const shown = rows.filter(
    (row) => AMONG[wanted.among](row, threshold) && (!wanted.label || row.label === wanted.label) && within(row.multiple_score, wanted.score) && within(areaMm2(row), wanted.area_mm2),
  );
  return shown.sort(SORTS[wanted.sort]).map((row) => row.key);
}

/** How many there are of each kind. */
export function countsOf(rows, threshold) {
  return Object.fromEntries(Object.entries(AMONG).map(([name, holds]) => [name, rows.filter((row) => holds(row, threshold)).length]));
}
