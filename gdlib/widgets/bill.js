// What a million answers cost, from what the reader types.
import { add, data, find } from "./base.js";

const rates = data.rates, price = find("price"), busy = find("busy"), says = find("says");

// Three digits that count, and no powers of ten: this is money.
const money = (amount) => amount.toLocaleString("en", { maximumSignificantDigits: 3 });
const cost = (rate, hourly, share) => hourly * 1e6 / (3600 * rate * share / 100);

const cells = rates.map(([name, rate]) => {
  const row = add(root.querySelector("tbody"), "tr", {});
  add(row, "th", { scope: "row", textContent: name });
  add(row, "td", { textContent: money(rate) });
  return add(row, "td", {});
});

function draw() {
  const hourly = price.valueAsNumber, share = busy.valueAsNumber;
  const wrong = !(hourly >= 0) || !Number.isFinite(hourly) ? "The price has to be a number, 0 or more."
    : !(share > 0 && share <= 100) ? "The share has to be above 0 and at most 100 %." : "";
  cells.forEach((cell, i) => { cell.textContent = wrong ? "?" : money(cost(rates[i][1], hourly, share)); });
  const idle = wrong ? "" : `Of each ${money(hourly)} that an hour costs, ${money(hourly * (1 - share / 100))} are paid for waiting.`;
  says.textContent = wrong || idle;
}

price.value = data.price;
busy.value = data.busy;
[price, busy].forEach((field) => field.addEventListener("input", draw));
draw();
