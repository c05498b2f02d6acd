// A text that the reader types or picks, as tokens.
import { add, data } from "./base.js";

export const { pad: PAD, start: START, end: END, unknown: UNKNOWN, first: FIRST } = data.tokens;

// Code points, as Python counts characters; not halves of pairs.
export function tokensOf(characters) { return new Map([...characters].map((character, i) => [character, FIRST + i])); }

export function lettersOf(text, longest) { return [...text.normalize("NFC")].slice(0, longest); }

// The answer, and which of the letters were read as unknown.
export function withUnknown(answer, letters, tokens) {
  const unknown = [...new Set(letters.filter((letter) => !tokens.has(letter)))];
  return unknown.length ? `${answer}. Not among the characters it was trained on: ${unknown.join(" ")}` : answer;
}

// A field to type in and buttons to pick from; `take` gets each text. Returns what marks the button that is chosen.
export function asks(field, list, samples, take) {
  const buttons = samples.map((text) => {
    const button = add(list, "button", { type: "button", className: "gdlib-clear", textContent: text });
    button.addEventListener("click", () => { field.value = text; take(text); });
    return button;
  });
  field.addEventListener("input", () => take(field.value));
  return () => buttons.forEach((button, k) => button.setAttribute("aria-pressed", field.value === samples[k]));
}
