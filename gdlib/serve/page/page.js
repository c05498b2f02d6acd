"use strict";
// The answer is read event by event, as the service sends them.
const [form, text, date, note] = ["form", "#text", "#date", "#note"].map((name) => document.querySelector(name));
let asking = null;

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const [kind, data] = part.split("\n").map((line) => line.slice(line.indexOf(":") + 2));
      yield [kind, JSON.parse(data)];
    }
  }
}

async function ask() {
  asking?.abort();
  const mine = (asking = new AbortController());
  date.textContent = "\u00a0";
  note.textContent = "";
  try {
    const response = await fetch("stream", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: text.value }),
      signal: mine.signal,
    });
    if (!response.ok) {
      note.textContent = `Not answered: ${(await response.json()).error}.`;
      return;
    }
    let written = "", whole = false;
    for await (const [kind, data] of events(response)) {
      if (kind === "piece") date.textContent = written += data.piece;
      if (kind === "date") {
        whole = true;
        date.textContent = data.date;
        note.textContent = data.valid ? "A date that the calendar has." : "That is no date: the network is mistaken.";
      }
    }
    if (!whole) note.textContent = "The answer was cut off. Try again.";
  } catch (error) {
    if (error.name !== "AbortError") note.textContent = "The service cannot be reached.";
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
document.querySelector("#examples").addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON") return;
  text.value = event.target.textContent;
  ask();
});
