// Shares as figures and as bars, and keys that move along.
import { add } from "./base.js";

export function percent(p) {
  const rounded = Math.round(100 * p);
  return rounded === 0 ? "< 1 %" : rounded === 100 ? "> 99 %" : `${rounded} %`;
}

// The same within a sentence that is read aloud.
export function spoken(p) { return percent(p).replace("<", "below").replace(">", "above"); }

// A row of a list: a name, a bar and its figure.
export function addBar(list, name) {
  const item = add(list, "li", {}), label = add(item, "span", { textContent: name });
  const bar = add(add(item, "span", { className: "gdlib-bar" }), "span", {});
  return { item, label, bar, text: add(item, "span", { className: "gdlib-percent" }) };
}

// The arrow keys, Home and End move along 0, …, last.
export function moveByKeys(element, current, last, choose) {
  element.addEventListener("keydown", (event) => {
    const at = current(), end = last();
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: end }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();  // the page would scroll
    choose(Math.max(0, Math.min(end, to)));
  });
}
