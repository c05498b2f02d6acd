// A name that the reader types, and what a GRU makes of it, letter by letter.
import { add, agree, data, find, largestDifference, redrawing } from "./base.js";
import { connectAll, softmax } from "./dense.js";
import { gruStep } from "./gru.js";
import { addBar, moveByKeys, percent, spoken } from "./show.js";
import { FIRST, UNKNOWN, asks, lettersOf, tokensOf, withUnknown } from "./typed.js";
import { unpack, unpackLayer } from "./unpack.js";

const { classes, samples, longest } = data;
const SHOWN = 5;  // classes named under the picture
const embedding = unpack(data.embedding), dense = data.dense.map(unpackLayer);
const inputs = unpackLayer(data.inputs), recurrent = unpackLayer(data.recurrent);
const units = recurrent.bias.length / 3, step = gruStep(inputs, recurrent);
const tokens = tokensOf(data.characters), features = embedding.length / (FIRST + tokens.size);

// text → its letters, the state after each of them, and the probabilities that it leads to.
function read(text) {
  const letters = lettersOf(text, longest), states = [];
  let h = new Float32Array(units);
  for (const letter of letters) {
    const token = tokens.get(letter) ?? UNKNOWN;
    states.push(h = step(h, embedding.subarray(token * features, (token + 1) * features)));
  }
  return { letters, states, shares: states.map((state) => softmax(connectAll(state, dense))) };
}

// ------------------------------------------------------------------------------------------ what is shown

const strip = find("strip"), typed = find("typed"), says = find("says");
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

const bars = classes.slice(0, SHOWN).map(() => addBar(find("bars"), ""));

function showBars(shares) {
  const order = classes.map((_, j) => j).sort((a, b) => shares ? shares[b] - shares[a] : 0);
  bars.forEach(({ item, label, bar, text }, rank) => {
    const j = order[rank];
    item.classList.toggle("gdlib-top", Boolean(shares) && rank === 0);
    label.textContent = shares ? classes[j] : "\u00a0";
    bar.style.width = shares ? `${100 * shares[j]}%` : 0;
    text.textContent = shares ? percent(shares[j]) : "";
  });
  return order[0];
}

function spell() {
  const spelled = find("spelled");
  spelled.replaceChildren();
  found.letters.forEach((letter, i) => {
    const known = tokens.has(letter) ? letter : "\ufffd";
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
    ? `After “${prefix}”: ${classes[best]}, ${spoken(shares[chosen][best])}` : "Type a name, or pick one.";
  strip.setAttribute("aria-valuetext", answer);
  says.textContent = withUnknown(answer, letters, tokens);
  markChosen();
}
const refresh = redrawing(show);

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

const markChosen = asks(typed, find("picks"), samples, take);
const under = (event) => {
  const edges = find("state").getBoundingClientRect();
  choose(Math.floor((event.clientX - edges.left) / edges.width * longest));
};
strip.addEventListener("pointerdown", (event) => { strip.setPointerCapture(event.pointerId); under(event); });
strip.addEventListener("pointermove", (event) => { if (event.buttons) under(event); });
moveByKeys(strip, () => chosen, () => found.letters.length - 1, choose);

const answers = samples.flatMap((name) => read(name).shares.flatMap((shares) => [...shares]));
agree(largestDifference(answers, unpack(data.probabilities)), 1e-4, {
  what: "no probability after any letter of the names to try",
});
strip.style.setProperty("--letters", longest);
root.read = read;  // for tests and for the curious
typed.value = samples[0];
take(samples[0]);
