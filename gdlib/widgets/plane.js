// A code in the plane, and the image that the decoder makes of it.
import { agree, data, find, largestDifference, redrawing } from "./base.js";
import { connectAll } from "./dense.js";
import { unpack, unpackLayer } from "./unpack.js";

const layers = data.layers.map(unpackLayer);
const points = unpack(data.points);

// Each pixel's probability: the logistic function of the last layer's logits.
function decode(z) { return connectAll(z, layers).map((logit) => 1 / (1 + Math.exp(-logit))); }

const plane = find("plane"), canvas = plane.querySelector("canvas");
const image = find("image"), says = find("says");
const extent = 0.4 + points.reduce((most, v) => Math.max(most, Math.abs(v)), 3);
const code = new Float32Array(2);
const toPixel = (v, size) => (v / extent + 1) / 2 * size;

function drawPlane() {
  const size = plane.clientWidth, ratio = window.devicePixelRatio || 1;
  if (!size) return;
  canvas.width = canvas.height = size * ratio;
  const pen = canvas.getContext("2d"), ink = getComputedStyle(root).color;
  pen.scale(ratio, ratio);
  pen.strokeStyle = ink;
  pen.globalAlpha = 0.25;
  pen.strokeRect(-1, size / 2, size + 2, 0);
  pen.strokeRect(size / 2, -1, 0, size + 2);
  pen.globalAlpha = 0.8;
  pen.font = "11px sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  data.labels.forEach((label, i) => {
    const x = toPixel(points[2 * i], size), y = toPixel(-points[2 * i + 1], size), name = data.classes[label];
    pen.fillStyle = data.colours[label];
    if (name.length === 1) pen.fillText(name, x, y);
    else pen.fillRect(x - 2, y - 2, 4, 4);
  });
  pen.globalAlpha = 1;
  const x = toPixel(code[0], size), y = toPixel(-code[1], size);
  for (const [colour, width] of [["#fff", 5], ["#000", 2]]) {  // seen on any ground
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 2 * Math.PI);
    pen.stroke();
  }
}

function drawImage() {
  image.width = data.width;
  image.height = data.height;
  const pen = image.getContext("2d"), bitmap = pen.createImageData(data.width, data.height);
  decode(code).forEach((value, j) => {
    bitmap.data.fill(255 * (1 - value), 4 * j, 4 * j + 3);
    bitmap.data[4 * j + 3] = 255;
  });
  pen.putImageData(bitmap, 0, 0);
}

function nearest() {
  let best = 0, least = Infinity;
  data.labels.forEach((_, i) => {
    const distance = (points[2 * i] - code[0]) ** 2 + (points[2 * i + 1] - code[1]) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return data.classes[data.labels[best]];
}

const number = (v) => v.toFixed(2).replace("-", "−");
const refresh = redrawing(() => {
  drawPlane();
  drawImage();
  says.textContent = `code (${number(code[0])}, ${number(code[1])}) · nearest encoded image: a ${nearest()}`;
  image.setAttribute("aria-label", `The decoded image, near a ${nearest()}`);
});
function moveTo(x, y) {
  const inside = (v) => Math.max(-extent, Math.min(extent, v));
  code[0] = inside(x);
  code[1] = inside(y);
  refresh();
}

function follow(event) {
  const box = plane.getBoundingClientRect();
  moveTo((2 * (event.clientX - box.left) / box.width - 1) * extent,
         (1 - 2 * (event.clientY - box.top) / box.height) * extent);
}
plane.addEventListener("pointerdown", (event) => { plane.setPointerCapture(event.pointerId); follow(event); });
plane.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
find("play").addEventListener("click", () => moveTo(0, 0));
plane.addEventListener("keydown", (event) => {
  const step = event.shiftKey ? 0.5 : 0.1;
  const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key]
    || (event.key === "Home" ? [-code[0], -code[1]] : []);
  if (x === undefined) return;
  event.preventDefault();  // the page would scroll
  moveTo(code[0] + x, code[1] + y);
});

const codes = unpack(data.probe.codes);
const decoded = Array.from({ length: codes.length / 2 }, (_, k) => [...decode(codes.subarray(2 * k, 2 * k + 2))]);
agree(largestDifference(decoded.flat(), unpack(data.probe.images)), 1e-4, { what: "no pixel's probability" });
root.decode = decode;  // for tests and for the curious
moveTo(0, 0);
