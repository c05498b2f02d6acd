// A game of two networks in the plane, frame by frame.
import { add, data, find, groupName } from "./base.js";
import { player } from "./player.js";
import { unpack } from "./unpack.js";

const games = Object.entries(data.games).map(([name, frames]) => ({
  name,
  frames: frames.map((frame) => ({
    step: frame.step,
    note: frame.note,
    samples: Float32Array.from(unpack(frame.samples), (v) => v / 32767 * data.extent),
    surface: unpack(frame.surface),
    field: Float32Array.from(unpack(frame.field), (v) => v / 127 * frame.largest),
  })),
}));
const modes = unpack(data.modes);

const canvas = find("board"), says = find("says");
games.forEach(({ name }, i) => {
  const label = add(find("games"), "label", {});
  const input = add(label, "input", { type: "radio", name: groupName, value: i, checked: i === 0 });
  label.append(` ${name}`);
  input.addEventListener("change", () => { shown = i; redraw(); });
});
let shown = 0;

const BLUE = [0, 114, 178], ORANGE = [230, 159, 0];
function drawSurface(pen, size, surface) {
  const g = Math.sqrt(surface.length), small = document.createElement("canvas");
  small.width = small.height = g;
  const ink = small.getContext("2d"), bitmap = ink.createImageData(g, g);
  for (let i = 0; i < g; i++) for (let j = 0; j < g; j++) {
    const v = surface[i * g + j] / 255, at = 4 * ((g - 1 - j) * g + i), tint = Math.abs(2 * v - 1);
    for (let c = 0; c < 3; c++) bitmap.data[at + c] = 255 + tint * 0.55 * ((v > 0.5 ? ORANGE : BLUE)[c] - 255);
    bitmap.data[at + 3] = 255;
  }
  ink.putImageData(bitmap, 0, 0);
  const cell = size / (g - 1);  // the outermost points lie on the edge
  pen.drawImage(small, -cell / 2, -cell / 2, size + cell, size + cell);
}

function drawField(pen, size, field) {
  const k = Math.sqrt(field.length / 2), cell = size / (k - 1);
  pen.strokeStyle = "#333";
  pen.lineWidth = 1;
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) {
    const [u, v] = field.subarray(2 * (i * k + j)), strength = Math.hypot(u, v);
    if (strength === 0) continue;
    const length = 0.8 * cell * Math.min(1, strength / data.reference);
    const x = i * cell, y = size - j * cell, dx = u / strength * length, dy = -v / strength * length;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + dx, y + dy);
    pen.moveTo(x + 0.7 * dx + 0.15 * dy, y + 0.7 * dy - 0.15 * dx);
    pen.lineTo(x + dx, y + dy);
    pen.lineTo(x + 0.7 * dx - 0.15 * dy, y + 0.7 * dy + 0.15 * dx);
    pen.stroke();
  }
}

function draw(moment) {
  const frame = games[shown].frames[moment], size = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
  if (!size) return;
  canvas.width = canvas.height = size * ratio;
  const pen = canvas.getContext("2d");
  const place = (points, i) => [(points[2 * i] / data.extent + 1) / 2 * size, (1 - points[2 * i + 1] / data.extent) / 2 * size];
  pen.scale(ratio, ratio);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, size, size);
  if (find("surface").checked) drawSurface(pen, size, frame.surface);
  if (find("field").checked) drawField(pen, size, frame.field);
  pen.strokeStyle = "#000";
  for (let i = 0; i < modes.length / 2; i++) {
    const [x, y] = place(modes, i);
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.fillStyle = "#000";
  pen.globalAlpha = 0.6;
  for (let i = 0; i < frame.samples.length / 2; i++) {
    const [x, y] = place(frame.samples, i);
    pen.fillRect(x - 1, y - 1, 2, 2);
  }
  const text = `${games[shown].name}, step ${frame.step}: ${frame.note}`;
  canvas.setAttribute("aria-label", text);
  find("scrub").setAttribute("aria-valuetext", `step ${frame.step}`);
  says.textContent = text;
}

const redraw = player(games[0].frames.length, draw);
for (const name of ["surface", "field"]) find(name).addEventListener("change", redraw);
new ResizeObserver(redraw).observe(canvas);
root.games = games;  // for tests and for the curious
redraw();
