// A name that the reader types, and what a GRU makes of it, letter by letter. `root` is the widget's own element.
const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
const { classes, samples, longest } = data;
const UNKNOWN = 3, SPECIAL = 4, SHOWN = 5;  // SHOWN: classes named under the picture
const embedding = unpack(data.embedding), dense = data.dense.map(unpackLayer);
const inputs = unpackLayer(data.inputs), recurrent = unpackLayer(data.recurrent);
const units = recurrent.bias.length / 3, step = gruStep(inputs, recurrent);
// Code points, as Python counts characters; not halves of pairs.
const positions = new Map([...data.characters].map((character, i) => [character, SPECIAL + i]));
const features = embedding.length / (SPECIAL + positions.size);

// text → its letters, the state after each of them, and the probabilities that it leads to.
function read(text) {
  const letters = [...text.normalize("NFC")].slice(0, longest), states = [];
  let h = new Float32Array(units);
  for (const letter of letters) {
    const token = positions.get(letter) ?? UNKNOWN;
    states.push(h = step(h, embedding.subarray(token * features, (token + 1) * features)));
  }
  return { letters, states, shares: states.map((state) => softmax(connectAll(state, dense))) };
}

// The largest difference from what the model itself says of the samples, with the same weights.
function disagreement() {
  const expected = unpack(data.probabilities);
  let worst = 0, at = 0;
  for (const name of samples) for (const shares of read(name).shares) for (const share of shares) {
    worst = Math.max(worst, Math.abs(share - expected[at++]));
  }
  return worst;
}

// ------------------------------------------------------------------------------------------ what is shown

const find = (name) => root.querySelector(`.gdlib-${name}`);
const strip = find("strip"), typed = find("typed"), says = find("says");
const add = (parent, tag, properties) => {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
};
let found = read(""), chosen = 0;  // chosen: the letter that is looked at

// Cells, (columns, rows), from −1, orange, over 0, nothing, to 1, blue; a frame around the chosen column.
function draw(canvas, columns, rows, value) {
  const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = canvas;
  canvas.width = clientWidth * ratio;
  canvas.height = clientHeight * ratio;
  const pen = canvas.getContext("2d"), across = canvas.width / longest, down = canvas.height / rows;
  const edge = (i, size) => Math.round(i * size);
  for (let x = 0; x < columns; x++) for (let y = 0; y < rows; y++) {
    const v = value(x, y);
    pen.fillStyle = v < 0 ? `rgb(213 94 0 / ${-v})` : `rgb(0 114 178 / ${v})`;
    pen.fillRect(edge(x, across), edge(y, down), edge(x + 1, across) - edge(x, across),
                 edge(y + 1, down) - edge(y, down));
  }
  if (!columns) return;
  pen.strokeStyle = getComputedStyle(root).color;
  pen.lineWidth = ratio;
  pen.strokeRect(edge(chosen, across) + ratio / 2, ratio / 2, across - ratio, canvas.height - ratio);
}

const bars = Array.from({ length: Math.min(SHOWN, classes.length) }, () => {
  const item = add(find("bars"), "li", {}), name = add(item, "span", {});
  const bar = add(add(item, "span", { className: "gdlib-bar" }), "span", {});
  return { item, name, bar, text: add(item, "span", { className: "gdlib-percent" }) };
});
const percent = (p) => {
  const rounded = Math.round(100 * p);
  return rounded === 0 ? "< 1 %" : rounded === 100 ? "> 99 %" : `${rounded} %`;
};

function showBars(shares) {
  const order = classes.map((_, j) => j).sort((a, b) => shares ? shares[b] - shares[a] : 0);
  bars.forEach(({ item, name, bar, text }, rank) => {
    const j = order[rank];
    item.classList.toggle("gdlib-top", Boolean(shares) && rank === 0);
    name.textContent = shares ? classes[j] : "\u00a0";
    bar.style.width = shares ? `${100 * shares[j]}%` : 0;
    text.textContent = shares ? percent(shares[j]) : "";
  });
  return order[0];
}

function spell() {
  const spelled = find("spelled");
  spelled.replaceChildren();
  found.letters.forEach((letter, i) => {
    const known = positions.has(letter) ? letter : "\ufffd";
    add(spelled, "span", { textContent: known, className: i === chosen ? "gdlib-chosen" : "" });
  });
}

function show() {
  const { letters, states, shares } = found, prefix = letters.slice(0, chosen + 1).join("");
  draw(find("state"), letters.length, units, (x, y) => states[x][y]);
  draw(find("shares"), letters.length, classes.length, (x, y) => shares[x][y]);
  spell();
  const best = showBars(shares[chosen]);
  strip.setAttribute("aria-valuemax", Math.max(letters.length, 1));
  strip.setAttribute("aria-valuenow", chosen + 1);
  const answer = letters.length
    ? `After “${prefix}”: ${classes[best]}, ${percent(shares[chosen][best]).replace(">", "above")}` : "Type a name, or pick one.";
  strip.setAttribute("aria-valuetext", answer);
  const unknown = letters.filter((letter) => !positions.has(letter));
  says.textContent = unknown.length
    ? `${answer}. Not among the characters it was trained on: ${[...new Set(unknown)].join(" ")}` : answer;
  buttons.forEach((button, k) => button.setAttribute("aria-pressed", typed.value === samples[k]));
}

let waiting = false;
function refresh() {
  if (waiting) return;  // one drawing a frame, however fast the pointer is
  waiting = true;
  requestAnimationFrame(() => { waiting = false; show(); });
}

// ------------------------------------------------------------------------------------- pointer and keyboard

function take(text) {
  found = read(text);
  chosen = Math.max(found.letters.length - 1, 0);
  refresh();
}

function choose(position) {
  chosen = Math.max(0, Math.min(found.letters.length - 1, position));
  refresh();
}

const buttons = samples.map((name) => {
  const button = add(find("picks"), "button", { type: "button", className: "gdlib-clear", textContent: name });
  button.addEventListener("click", () => { typed.value = name; take(name); });
  return button;
});
typed.addEventListener("input", () => take(typed.value));
const under = (event) => {
  const edges = find("state").getBoundingClientRect();
  choose(Math.floor((event.clientX - edges.left) / edges.width * longest));
};
strip.addEventListener("pointerdown", (event) => { strip.setPointerCapture(event.pointerId); under(event); });
strip.addEventListener("pointermove", (event) => { if (event.buttons) under(event); });
strip.addEventListener("keydown", (event) => {
  const last = found.letters.length - 1;
  const to = { ArrowLeft: chosen - 1, ArrowDown: chosen - 1, ArrowRight: chosen + 1, ArrowUp: chosen + 1, Home: 0,
               End: last }[event.key];
  if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();  // the page would scroll
  choose(to);
});
new ResizeObserver(refresh).observe(root);
new MutationObserver(refresh).observe(document.documentElement, { attributeFilter: ["data-theme"] });

const worst = disagreement();
root.dataset.disagreement = worst;
find("agrees").textContent = worst < 1e-4
  ? `This page and Flax agree: no probability after any letter of the names to try differs by more than ${worst.toExponential(0)}.`
  : `This page and Flax disagree by ${worst.toExponential(0)}: do not trust this figure.`;
strip.style.setProperty("--letters", longest);
root.read = read;  // for tests and for the curious
typed.value = samples[0];
take(samples[0]);
