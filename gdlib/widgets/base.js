// What every figure begins with. `root` is the figure's own element.
export const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
export const find = (name) => root.querySelector(`.gdlib-${name}`);

export function add(parent, tag, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

// For radio buttons: those of one figure exclude each other, and no other figure's, not even those of its twin.
export const groupName = `${root.id}-${document.querySelectorAll("[data-started]").length}`;

// `draw`, but at most once a frame, however fast the pointer is.
function oncePerFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
}

// Once a frame, and whenever the figure gets another size or the page other colours.
export function redrawing(draw) {
  const refresh = oncePerFrame(draw);
  new ResizeObserver(refresh).observe(root);
  new MutationObserver(refresh).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return refresh;
}

// The largest difference of two lists of numbers; infinite where they are not equally long.
export function largestDifference(found, expected) {
  if (found.length !== expected.length) return Infinity;
  return found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i])), 0);
}

// Say how far this page is from what the model itself made of the same numbers, with the same weights.
export function agree(worst, limit, { who = "Flax", what }) {
  root.dataset.disagreement = worst;
  find("agrees").textContent = worst < limit
    ? `This page and ${who} agree: ${what} differs by more than ${worst.toExponential(0)}.`
    : `This page and ${who} disagree by ${worst.toExponential(0)}: do not trust this figure.`;
}
