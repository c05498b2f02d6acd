// Images in doubt: what does the reader say, and with whom does that agree?
import { add, data, find } from "./base.js";

const { images, given, guessed } = data, NEITHER = "neither";
const asks = find("asks"), picture = find("judged"), choices = find("choices"), says = find("says"), tally = find("tally");
const votes = { label: 0, model: 0, neither: 0 };
let now = 0;

const buttons = [0, 1, 2].map(() => add(choices, "button", { type: "button", className: "gdlib-play" }));
buttons.forEach((button) => button.addEventListener("click", () => answered(button.textContent)));

function show() {
  const over = now === images.length;
  buttons.forEach((button) => { button.disabled = over; });
  if (over) {
    asks.textContent = "All judged.";
    return;
  }
  asks.textContent = `Image ${now + 1} of ${images.length}. What is it?`;
  picture.src = `data:image/png;base64,${images[now]}`;
  picture.alt = `Image ${now + 1}, whose label is in doubt`;
  const both = [given[now], guessed[now]].sort((a, b) => a - b);
  [...both, NEITHER].forEach((choice, k) => { buttons[k].textContent = choice; });
}

function answered(choice) {
  const who = choice === NEITHER ? "neither" : Number(choice) === given[now] ? "label" : "model";
  votes[who] += 1;
  says.textContent = `Image ${now + 1}: you say ${choice}; its label is ${given[now]}, the model's guess ${guessed[now]}.`;
  now += 1;
  tally.textContent = `Of ${now} judged, your answer was the label's in ${votes.label}, the model's in ${votes.model}, and neither in ${votes.neither}.`;
  show();
}

root.judged = { votes };  // for tests and for the curious
show();
