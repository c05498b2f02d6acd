// Pictures of a training, one after the other.
import { data, find } from "./base.js";
import { player } from "./player.js";

const picture = find("picture"), says = find("says"), scrub = find("scrub");
const redraw = player(data.frames.length, (i) => {
  const { name, image } = data.frames[i];
  picture.src = `data:image/png;base64,${image}`;
  picture.alt = `${data.alt}, ${name}`;
  scrub.setAttribute("aria-valuetext", name);
  says.textContent = name;
});
scrub.value = data.frames.length - 1;
redraw();
