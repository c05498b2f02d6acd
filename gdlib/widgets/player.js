// A slider and a button that go through the frames of a figure.
import { find } from "./base.js";

// `draw(i)` shows the i-th of `count` frames. Returns what redraws.
export function player(count, draw) {
  const scrub = find("scrub"), play = find("play"), says = find("says");
  let timer = null;
  scrub.max = count - 1;
  const redraw = () => draw(Number(scrub.value));
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    says.setAttribute("aria-live", "polite");
  }
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (scrub.value === scrub.max) scrub.value = 0;
    play.textContent = "Pause";
    says.setAttribute("aria-live", "off");  // nobody can listen to three frames a second
    timer = setInterval(() => {
      scrub.value = Number(scrub.value) + 1;
      redraw();
      if (scrub.value === scrub.max) stop();
    }, 300);
    redraw();
  });
  scrub.addEventListener("input", () => { stop(); redraw(); });
  return redraw;
}
