// Radio buttons with feedback.
import { data, find, groupName } from "./base.js";

root.querySelectorAll("input").forEach((input) => {
  input.name = groupName;
  input.addEventListener("change", () => {
    const right = Number(input.value) === data.right;
    find("says").dataset.verdict = right ? "right" : "wrong";
    find("says").textContent = `${right ? "✓ Right." : "✗ No."} ${data.feedback[input.value]}`;
  });
});
