// A digit that the reader draws or picks, and what a convolutional network makes of it. Images and maps are as in
// convnet.js.
import { add, agree, data, find, largestDifference, redrawing } from "./base.js";
import { network } from "./convnet.js";
import { addBar, percent, spoken } from "./show.js";
import { unpack, unpackLayer } from "./unpack.js";

const convolutions = data.convolutions.map(unpackLayer), dense = data.dense.map(unpackLayer);
const { height, width, classes } = data, pixels = height * width;
const images = unpack(data.samples);
const samples = Array.from({ length: images.length / pixels }, (_, k) =>
  images.subarray(k * pixels, (k + 1) * pixels));
const answer = network(convolutions, dense, height, width);

// ------------------------------------------------------------------------------------------- the drawing
// A stroke is a list of points [x, y] in pixels of the image, from its upper left corner.

const PEN = 0.1 * Math.min(height, width);  // about as thick as MNIST's strokes are
const box = { height: Math.round(height * 20 / 28), width: Math.round(width * 20 / 28) };
let strokes = [], picked = null;

function trace(pen, strokes) {
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = PEN;
  for (const [first, ...others] of strokes) {
    pen.beginPath();
    pen.moveTo(...first);
    pen.lineTo(first[0] + 0.01, first[1]);  // a touch is a dot
    for (const point of others) pen.lineTo(...point);
    pen.stroke();
  }
}

// The ink of strokes after x → scale · x + shift, from 0 to 1.
const field = Object.assign(document.createElement("canvas"), { height, width });
function ink(strokes, scale, shift) {
  const pen = field.getContext("2d", { willReadFrequently: true });
  pen.clearRect(0, 0, width, height);
  const moved = (point) => point.map((v, axis) => scale * v + shift[axis]);
  trace(pen, strokes.map((stroke) => stroke.map(moved)));
  const { data } = pen.getImageData(0, 0, width, height);
  return Float32Array.from({ length: pixels }, (_, i) => data[4 * i + 3] / 255);
}

function centreOfMass(image) {
  let mass = 0, x = 0, y = 0;
  image.forEach((value, i) => {
    mass += value;
    x += value * (i % width);
    y += value * Math.floor(i / width);
  });
  return [x / mass, y / mass];
}

// As LeCun et al. (1998) made MNIST: scaled to a box of 20 × 20, and moved by whole pixels so that the centre
// of mass lies in the middle of 28 × 28: in their files pixel (14, 14), counted from 0.
function normalized(strokes) {
  const ranges = [0, 1].map((axis) => {
    const along = strokes.flatMap((stroke) => stroke.map((point) => point[axis]));
    return along.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
  });
  const [across, down] = ranges.map(([low, high]) => Math.max(high - low, PEN));  // a dot stays one
  const scale = Math.min((box.width - PEN) / across, (box.height - PEN) / down);
  const size = [width, height];
  const shift = ranges.map(([low, high], axis) => size[axis] / 2 - scale * (low + high) / 2);
  const mass = centreOfMass(ink(strokes, scale, shift));
  return ink(strokes, scale, shift.map((v, axis) => v + Math.floor(size[axis] / 2) - Math.round(mass[axis])));
}

function seen() {
  if (picked !== null) return samples[picked];
  return strokes.length ? normalized(strokes) : null;
}

// ------------------------------------------------------------------------------------------ what is shown

const paper = find("paper"), board = paper.querySelector("canvas"), says = find("says");

// A small canvas: ink(x, y) from 0, white, to 1, black.
function picture(height, width, ink) {
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  const pen = canvas.getContext("2d"), bitmap = pen.createImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    const value = ink(i % width, Math.floor(i / width));
    bitmap.data.fill(255 * (1 - value), 4 * i, 4 * i + 3);
    bitmap.data[4 * i + 3] = 255;
  }
  pen.putImageData(bitmap, 0, 0);
  return canvas;
}
const drawn = (image) => picture(height, width, (x, y) => image ? image[y * width + x] : 0);

function show(canvas, picture) {
  canvas.height = picture.height;
  canvas.width = picture.width;
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

// Maps in rows that are all full, as large as there is room for in whole pixels of the screen.
function showMaps(canvas, { height, width, channels, values }) {
  let columns = Math.ceil(Math.sqrt(channels));
  while (channels % columns) columns++;
  const most = values.reduce((a, b) => Math.max(a, b)) || 1, rows = channels / columns;
  const sheet = picture(rows * height, columns * width, (x, y) => {
    const channel = Math.floor(y / height) * columns + Math.floor(x / width);
    return values[((y % height) * width + x % width) * channels + channel] / most;
  });
  const ratio = window.devicePixelRatio || 1, gap = Math.round(2 * ratio);
  const room = canvas.parentElement.clientWidth * ratio - gap * (columns - 1);
  const times = Math.max(1, Math.floor(room / sheet.width)), [down, across] = [times * height, times * width];
  canvas.height = rows * (down + gap) - gap;
  canvas.width = columns * (across + gap) - gap;
  canvas.style.width = `${canvas.width / ratio}px`;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    pen.drawImage(sheet, column * width, row * height, width, height,
                  column * (across + gap), row * (down + gap), across, down);
  }
}

const bars = classes.map((name) => addBar(find("bars"), name));
const figures = convolutions.map(() => {
  const figure = add(find("layers"), "figure", { className: "gdlib-maps" });
  const canvas = add(figure, "canvas", {});
  canvas.setAttribute("role", "img");
  return { canvas, caption: add(figure, "figcaption", {}) };
});
const buttons = samples.map((image, k) => {
  const button = add(find("picks"), "button", { type: "button", className: "gdlib-pick" });
  button.setAttribute("aria-label", `sample ${k + 1}`);
  show(add(button, "canvas", {}), drawn(image));
  button.addEventListener("click", () => { empty(); picked = k; });
  return button;
});

function showBars(probabilities) {
  const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
  bars.forEach(({ item, bar, text }, j) => {
    item.classList.toggle("gdlib-top", j === best);
    bar.style.width = probabilities ? `${100 * probabilities[j]}%` : 0;
    text.textContent = probabilities ? percent(probabilities[j]) : "";
  });
  const sure = probabilities && spoken(probabilities[best]);
  says.textContent = probabilities
    ? `The network says ${classes[best]}, with probability ${sure}.` : "Draw a digit, or pick one.";
}

function showLayer(map, depth) {
  const { canvas, caption } = figures[depth], active = new Set();
  map.values.forEach((value, i) => { if (value > 0) active.add(i % map.channels); });
  const size = `${map.height}\u00a0×\u00a0${map.width}`;
  const what = `Convolution ${depth + 1}, ReLU, pooling: ${map.channels} maps of ${size}`;
  showMaps(canvas, map);
  canvas.setAttribute("aria-label", `${what}, ${active.size} of them not zero everywhere`);
  caption.textContent = what;
}

const blank = answer(new Float32Array(pixels)).maps.map((map) => ({ ...map, values: map.values.fill(0) }));
function respond() {
  const image = seen(), found = image && answer(image);
  show(find("image"), drawn(image));
  find("image").setAttribute("aria-label", image
    ? `What the network sees, ${height} × ${width} pixels` : "What the network sees: nothing yet");
  showBars(found && found.probabilities);
  (found ? found.maps : blank).forEach(showLayer);
  buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === picked));
}

const cursor = [Math.floor(width / 2), Math.floor(height / 2)];
let cursorShown = false, penDown = false;
function drawPaper() {
  const ratio = window.devicePixelRatio || 1, scale = paper.clientWidth * ratio / width;
  if (!scale) return;
  board.width = width * scale;
  board.height = height * scale;
  const pen = board.getContext("2d");
  pen.imageSmoothingEnabled = false;
  if (picked !== null) pen.drawImage(drawn(samples[picked]), 0, 0, board.width, board.height);
  pen.scale(scale, scale);
  trace(pen, strokes);
  if (!cursorShown) return;
  for (const [colour, thickness] of [["#fff", 0.6], ["#000", 0.25]]) {  // seen on any ground
    pen.strokeStyle = colour;
    pen.lineWidth = thickness;
    pen.beginPath();
    pen.arc(...cursor, penDown ? PEN / 2 : PEN, 0, 2 * Math.PI);
    pen.stroke();
  }
}

const refresh = redrawing(() => {
  drawPaper();
  respond();
});

// ------------------------------------------------------------------------------------- pointer and keyboard

let pointer = null;  // the one that draws
function empty() {
  [strokes, picked, penDown] = [[], null, false];
  find("pen").textContent = "";
  rest();
}

function rest() {
  pointer = null;
  says.setAttribute("aria-live", "polite");
  says.textContent = "";  // so that the answer is said, even if it is what was shown already
  refresh();
}

function begin(point) {
  if (picked !== null) empty();
  strokes.push([point]);
  refresh();
}

function extend(point) {
  strokes.at(-1).push(point);
  refresh();
}

function under(event) {
  const edges = board.getBoundingClientRect(), inside = (v) => Math.max(0, Math.min(1, v));
  return [inside((event.clientX - edges.left) / edges.width) * width,
          inside((event.clientY - edges.top) / edges.height) * height];
}

paper.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  begin(under(event));
  [pointer, penDown, cursorShown] = [event.pointerId, false, false];
  paper.setPointerCapture(pointer);
  find("pen").textContent = "";
  says.setAttribute("aria-live", "off");  // nobody can listen to an answer a frame
});
paper.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  const parts = event.getCoalescedEvents?.() || [];  // all since the last frame; only where a page is secure
  for (const part of parts.length ? parts : [event]) extend(under(part));
});
for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, (event) => { if (event.pointerId === pointer) rest(); });
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function press(key, far) {
  if (key in STEPS) {
    STEPS[key].forEach((step, axis) => {
      const v = cursor[axis] + (far ? 4 : 1) * step;
      cursor[axis] = Math.max(0, Math.min([width, height][axis], v));
    });
    if (penDown) extend([...cursor]);
  } else if (key === " ") {
    if (!penDown) begin([...cursor]);
    penDown = !penDown;
  } else empty();
}
paper.addEventListener("keydown", (event) => {
  const { key } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || pointer !== null) return;
  if (!(key in STEPS || key === " " || key === "Escape" || key === "Delete")) return;
  event.preventDefault();  // the page would scroll
  press(key, event.shiftKey);
  cursorShown = true;
  find("pen").textContent = `Pen ${penDown ? "down" : "up"}, column ${cursor[0]}, row ${cursor[1]}.`;
  refresh();
});
for (const name of ["focus", "blur"]) paper.addEventListener(name, () => {
  cursorShown = paper.matches(":focus-visible");
  refresh();
});
find("clear").addEventListener("click", empty);
find("picks").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], at = buttons.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  buttons[(at + step + buttons.length) % buttons.length].focus();
});

const answers = samples.flatMap((image) => [...answer(image).probabilities]);
agree(largestDifference(answers, unpack(data.probabilities)), 1e-4, { what: "no probability of a sample" });
find("form").textContent = "Strokes are brought into the form of MNIST's digits (LeCun et al., 1998): "
  + `scaled to fit ${box.height} × ${box.width} pixels, drawn anew with one pen, and moved so that their `
  + `centre of mass lies in the middle of ${height} × ${width}. Samples are taken as they are.`;
paper.style.aspectRatio = find("image").style.aspectRatio = `${width} / ${height}`;
root.answer = answer;  // for tests and for the curious
refresh();
