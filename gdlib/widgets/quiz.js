// Radio buttons with feedback. `root` is the widget's own element.
const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
const name = `${root.id}-${document.querySelectorAll("[data-started]").length}`;
root.querySelectorAll("input").forEach((input) => {
  input.name = name;  // buttons of one question exclude each other, and no other question's
  input.addEventListener("change", () => {
    const right = Number(input.value) === data.right;
    root.querySelector(".gdlib-says").textContent = `${right ? "✓ Right." : "✗ No."} ${data.feedback[input.value]}`;
  });
});
