// Wheel, mouse, pen and fingers on a canvas: one pointer pans, two pinch, a double click goes to 1:1 and back to fit.
// A hand that works on boxes (`canvas.hand`) may take a single pointer for itself; two fingers and the middle button always pan.

/** Where an event lies, in screen pixels from the canvas centre. */
function fromCentre(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
}

const middle = (one, other) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);

export function listenTo(canvas, view) {
  const down = new Map(); // pointers on the canvas, by id

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : event.ctrlKey ? 0.01 : 0.0015)), fromCentre(canvas, event));
    },
    { passive: false },
  );
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 && event.button !== 1) return;
    event.button === 1 && event.preventDefault(); // no scrolling by itself
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, fromCentre(canvas, event));
    if (down.size > 1) canvas.hand?.cancel();
    else canvas.hand?.down(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = fromCentre(canvas, event);
    const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    down.set(event.pointerId, now);
    if (!other && canvas.hand?.drag) {
      canvas.hand.move(event);
      return;
    }
    if (!other) {
      view.pan(before.x - now.x, before.y - now.y);
      return;
    }
    const from = middle(before, other);
    const to = middle(now, other);
    view.pan(from.x - to.x, from.y - to.y);
    if (distance(before, other) > 0) view.zoom(distance(now, other) / distance(before, other), to);
  });
  canvas.addEventListener("pointerup", (event) => canvas.hand?.up(event));
  canvas.addEventListener("pointercancel", () => canvas.hand?.cancel());
  for (const ended of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(ended, (event) => down.delete(event.pointerId));
  }
  canvas.addEventListener("dblclick", (event) => canvas.hand?.desk.on || view.toggle(fromCentre(canvas, event))); // of a finger, too
}
