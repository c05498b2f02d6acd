// A text that the reader types, translated in the page, and where each head looks.
import { add, agree, data, find, largestDifference, redrawing } from "./base.js";
import { softmax } from "./dense.js";
import { moveByKeys, spoken } from "./show.js";
import { decoder, encode, place, unpackWeights } from "./transformer.js";
import { END, FIRST, PAD, START, UNKNOWN, asks, lettersOf, tokensOf, withUnknown } from "./typed.js";
import { unpack } from "./unpack.js";

const { heads, width, samples, longest, steps } = data;
const weights = unpackWeights(data.weights);
const known = tokensOf(data.characters);
const alphabet = [...data.written];
const shown = (token) => token === END ? "⏎" : token === START ? "▷" : token === UNKNOWN ? "\ufffd" : alphabet[token - FIRST];

// text → { letters, tokens, shares, encoder, own, cross }: what is written, always the most probable token, with the
// probabilities of all; and the weights, [block][position][head][looked at].
function translate(text) {
  const letters = lettersOf(text, longest), tokens = [], shares = [], looks = [];
  if (!letters.length) return { letters, tokens, shares, encoder: [], own: [], cross: [] };
  const placed = letters.map((letter, t) =>
    place(known.get(letter) ?? UNKNOWN, t, weights.sources.tokens.embedding, width));
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

// ------------------------------------------------------------------------------------------ what is shown

const typed = find("typed"), from = find("from"), to = find("to"), says = find("says");
const which = find("which"), head = find("head");
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
    .map(([weight, j]) => `${named(looked[j])} at ${j + 1}: ${spoken(weight)}`).join(", ");
  const act = kind === "encoder" ? `${named(lookers[chosen] ?? "")} at ${chosen + 1}`
    : `Writing ${lookers[chosen]} (${spoken(found.shares[chosen]?.[found.tokens[chosen]] ?? 0)} sure)`;
  const answer = lookers.length ? `${act}, it looks at ${most}` : "Type a date, or pick one.";
  from.setAttribute("aria-valuetext", answer);
  says.textContent = withUnknown(answer, found.letters, known);
  markChosen();
}
const refresh = redrawing(show);

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

const markChosen = asks(typed, find("picks"), samples, take);
which.addEventListener("change", refresh);
head.addEventListener("change", refresh);
moveByKeys(from, () => chosen, () => view().lookers.length - 1, choose);

const answers = samples.flatMap((text) => translate(text).shares.flatMap((share) => [...share]));
agree(largestDifference(answers, unpack(data.probabilities)), 1e-3, {
  what: "no probability of any character written for the dates to try",
});
root.translated = translate;  // for tests and for the curious
typed.value = samples[0];
take(samples[0]);
