// Pictures of a training, one after the other. `root` is the widget's own element.
const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
const picture = root.querySelector(".gdlib-picture"), says = root.querySelector(".gdlib-says");
const redraw = player(root, data.frames.length, (i) => {
  const { name, image } = data.frames[i];
  picture.src = `data:image/png;base64,${image}`;
  picture.alt = `${data.alt}, ${name}`;
  root.querySelector(".gdlib-scrub").setAttribute("aria-valuetext", name);
  says.textContent = name;
});
root.querySelector(".gdlib-scrub").value = data.frames.length - 1;
redraw();
