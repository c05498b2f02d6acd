// Images in doubt: what does the reader say, and with whom does that agree?
import { add, data, find } from "./base.js";

const { images, given, guessed } = data, NEITHER = "neither";
const asks = find("asks"), picture = find("judged"), choices = find("choices"), says = find("says"), next = find("next");
let now = 0, votes;

const buttons = [0, 1, 2].map(() => add(choices, "button", { type: "button", className: "gdlib-play" }));
buttons.forEach((button) => button.addEventListener("click", () => answered(button.dataset.choice)));

function show() {
  if (now === 0) votes = { label: 0, model: 0, neither: 0 };
  asks.textContent = `Image ${now + 1} of ${images.length}. What is it?`;
  picture.src = `data:image/png;base64,${images[now]}`;
  picture.alt = `Image ${now + 1}, whose label is in doubt`;
  const both = [given[now], guessed[now]].sort((a, b) => a - b);
  [...both, NEITHER].forEach((choice, k) => {
    buttons[k].dataset.choice = buttons[k].textContent = choice;
    buttons[k].disabled = false;
  });
  next.hidden = true;
  says.textContent = "";
}

// The image stays, to be looked at again; what is next waits for a button of its own.
function answered(choice) {
  const who = choice === NEITHER ? "neither" : Number(choice) === given[now] ? "label" : "model";
  votes[who] += 1;
  now += 1;
  says.textContent = `You say ${choice}; its label is ${given[now - 1]}, the model's guess ${guessed[now - 1]}. `
    + `Of ${now} judged, your answer was the label's in ${votes.label}, the model's in ${votes.model}, and neither in ${votes.neither}.`;
  if (now === images.length) now = 0;
  next.textContent = now ? "Next" : "Again";
  next.hidden = false;
  next.focus();
  buttons.forEach((button) => { button.disabled = true; });
}

next.addEventListener("click", () => { show(); buttons[0].focus(); });
show();
