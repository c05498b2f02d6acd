// What several figures show themselves with.
function add(parent, tag, properties) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

function percent(p) {
  const rounded = Math.round(100 * p);
  return rounded === 0 ? "< 1 %" : rounded === 100 ? "> 99 %" : `${rounded} %`;
}

// The same within a sentence that is read aloud.
function spoken(p) { return percent(p).replace("<", "below").replace(">", "above"); }

// A row of a list: a name, a bar and its figure.
function addBar(list, name) {
  const item = add(list, "li", {}), label = add(item, "span", { textContent: name });
  const bar = add(add(item, "span", { className: "gdlib-bar" }), "span", {});
  return { item, label, bar, text: add(item, "span", { className: "gdlib-percent" }) };
}

// `draw`, but at most once a frame, however fast the pointer is.
function oncePerFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
}

// The arrow keys, Home and End move along 0, …, last.
function moveByKeys(element, current, last, choose) {
  element.addEventListener("keydown", (event) => {
    const at = current(), end = last();
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: end }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();  // the page would scroll
    choose(Math.max(0, Math.min(end, to)));
  });
}
