// A text that the reader types, translated in the page, and where each head looks. `root` is the widget's own element.
const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
const { heads, width, samples, longest, steps } = data;
const PAD = 0, START = 1, END = 2, UNKNOWN = 3, SPECIAL = 4;
const weights = unpackWeights(data.weights);
// Code points, as Python counts characters; not halves of pairs.
const positions = new Map([...data.characters].map((character, i) => [character, SPECIAL + i]));
const alphabet = [...data.written];
const shown = (token) => token === END ? "⏎" : token === START ? "▷" : token === UNKNOWN ? "\ufffd" : alphabet[token - SPECIAL];

// text → { letters, tokens, shares, encoder, own, cross }: what is written, always the most probable token, with the
// probabilities of all; and the weights, [block][position][head][looked at].
function translate(text) {
  const letters = [...text.normalize("NFC")].slice(0, longest), tokens = [], shares = [], looks = [];
  if (!letters.length) return { letters, tokens, shares, encoder: [], own: [], cross: [] };
  const placed = letters.map((letter, t) =>
    place(positions.get(letter) ?? UNKNOWN, t, weights.sources.tokens.embedding, width));
  const { xs, weights: encoder } = encode(placed, weights.encoder, heads);
  const next = decoder(xs, weights, heads, width);
  for (let token = START; tokens.length < steps && token !== END; tokens.push(token)) {
    const look = next(token, tokens.length);
    looks.push(look);
    shares.push(softmax(look.logits));
    token = look.logits.reduce((best, logit, k) =>
      k !== PAD && k !== START && (best < 0 || logit > look.logits[best]) ? k : best, -1);
  }
  const byBlock = (kind) => looks[0][kind].map((_, block) => looks.map((look) => look[kind][block]));
  return { letters, tokens, shares, encoder, own: byBlock("own"), cross: byBlock("cross") };
}

// The largest difference from what the model itself says of the samples, with the same weights.
function disagreement() {
  const expected = unpack(data.probabilities);
  let worst = 0, at = 0;
  for (const text of samples) for (const share of translate(text).shares) for (const p of share) {
    worst = Math.max(worst, Math.abs(p - (expected[at++] ?? 2)));
  }
  return at === expected.length ? worst : 2;
}

// ------------------------------------------------------------------------------------------ what is shown

const find = (name) => root.querySelector(`.gdlib-${name}`);
const typed = find("typed"), from = find("from"), to = find("to"), says = find("says");
const which = find("which"), head = find("head");
const add = (parent, tag, properties) => {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
};
for (const [kind, name] of [["cross", "from date to text"], ["own", "within the date"], ["encoder", "within the text"]]) {
  Object.keys(kind === "encoder" ? weights.encoder.blocks : weights.blocks).forEach((block) =>
    add(which, "option", { value: `${kind} ${block}`, textContent: `${name}, block ${Number(block) + 1}` }));
}
add(head, "option", { value: "mean", textContent: "mean of all" });
for (let h = 0; h < heads; h++) add(head, "option", { value: h, textContent: h + 1 });

let found = translate(""), chosen = 0;  // chosen: the position that looks

// The chosen kind's lookers and looked-at, each position's name, and a row of weights for each looker.
function view() {
  const [kind, block] = which.value.split(" ");
  const written = found.tokens.map(shown), before = ["▷", ...written.slice(0, -1)];
  const lookers = kind === "encoder" ? found.letters : written;
  const looked = kind === "own" ? before : found.letters;
  const rows = (found[kind][block] ?? []).map((byHead) => head.value === "mean"
    ? byHead[0].map((_, j) => byHead.reduce((sum, row) => sum + row[j], 0) / heads) : [...byHead[head.value]]);
  return { kind, lookers, looked, rows };
}

const named = (character) => character === " " ? "␣" : character;
const percent = (p) => `${Math.round(100 * p)} %`;

function cells(strip, characters, decorate) {
  strip.replaceChildren();
  characters.forEach((character, i) => decorate(add(strip, "span", { textContent: named(character) }), i));
}

function show() {
  const { kind, lookers, looked, rows } = view();
  chosen = Math.max(0, Math.min(lookers.length - 1, chosen));
  const row = rows[chosen] ?? [];
  cells(from, lookers, (cell, i) => {
    cell.className = i === chosen ? "gdlib-chosen" : "";
    cell.addEventListener("pointerenter", () => choose(i));
    cell.addEventListener("pointerdown", () => choose(i));
  });
  cells(to, looked, (cell, j) => {
    const weight = row[j] ?? 0;  // the date's later places are not looked at
    cell.style.backgroundColor = `rgb(0 114 178 / ${weight})`;
    cell.style.color = weight > 0.55 ? "#fff" : "";
  });
  const result = found.tokens.filter((token) => token !== END).map(shown).join("");
  find("result").textContent = result || "\u00a0";
  from.setAttribute("aria-valuemax", Math.max(lookers.length, 1));
  from.setAttribute("aria-valuenow", Math.min(chosen + 1, Math.max(lookers.length, 1)));
  const most = row.map((weight, j) => [weight, j]).sort((a, b) => b[0] - a[0]).slice(0, 3)
    .map(([weight, j]) => `${named(looked[j])} at ${j + 1}: ${percent(weight)}`).join(", ");
  const act = kind === "encoder" ? `${named(lookers[chosen] ?? "")} at ${chosen + 1}`
    : `Writing ${lookers[chosen]} (${percent(found.shares[chosen]?.[found.tokens[chosen]] ?? 0)} sure)`;
  const answer = lookers.length ? `${act}, it looks at ${most}` : "Type a date, or pick one.";
  from.setAttribute("aria-valuetext", answer);
  const unknown = [...new Set(found.letters.filter((letter) => !positions.has(letter)))];
  says.textContent = unknown.length
    ? `${answer}. Not among the characters it was trained on: ${unknown.join(" ")}` : answer;
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
  found = translate(text);
  refresh();
}

function choose(position) {
  if (position === chosen) return;  // drawing anew under the pointer would call this again
  chosen = position;
  refresh();
}

const buttons = samples.map((text) => {
  const button = add(find("picks"), "button", { type: "button", className: "gdlib-clear", textContent: text });
  button.addEventListener("click", () => { typed.value = text; take(text); });
  return button;
});
typed.addEventListener("input", () => take(typed.value));
which.addEventListener("change", refresh);
head.addEventListener("change", refresh);
from.addEventListener("keydown", (event) => {
  const last = view().lookers.length - 1;
  const next = { ArrowLeft: chosen - 1, ArrowDown: chosen - 1, ArrowRight: chosen + 1, ArrowUp: chosen + 1, Home: 0,
                 End: last }[event.key];
  if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();  // the page would scroll
  choose(Math.max(0, Math.min(last, next)));
});

const worst = disagreement();
root.dataset.disagreement = worst;
find("agrees").textContent = worst < 1e-3
  ? `This page and Flax agree: no probability of any character written for the dates to try differs by more than ${worst.toExponential(0)}.`
  : `This page and Flax disagree by ${worst.toExponential(0)}: do not trust this figure.`;
root.translated = translate;  // for tests and for the curious
typed.value = samples[0];
take(samples[0]);
