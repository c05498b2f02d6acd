// Two bells, examples of them, and two ways to learn a boundary.
import { agree, data, find, largestDifference, redrawing } from "./base.js";
import { mark, normals, pencil, pointed, slide } from "./pencil.js";
import { unpack } from "./unpack.js";

const COUNTS = [2, 4, 8, 16, 32, 64, 128, 256], DRAWS = 16, EXTENT = 4, START = [[-1, 0], [1, 0]];
const COLOURS = { naive: "#1f77b4", logistic: "#ff7f0e" };
const NAMES = { naive: "naive Bayes", logistic: "logistic regression" };

// The standard normal distribution function, by Abramowitz and Stegun's approximation: good to 1e-7.
function below(z) {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI)
    * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}

// Both take points (x, y, x, y, …) and a label for each, and give [w₁, w₂, b].
function naive(points, labels) {
  const counts = [0, 0], means = [[0, 0], [0, 0]], variances = [0, 0];
  labels.forEach((k, i) => {
    counts[k] += 1;
    for (const j of [0, 1]) means[k][j] += points[2 * i + j];
  });
  for (const k of [0, 1]) means[k] = means[k].map((sum) => sum / counts[k]);
  labels.forEach((k, i) => {
    for (const j of [0, 1]) variances[j] += (points[2 * i + j] - means[k][j]) ** 2 / labels.length;
  });
  const w = [0, 1].map((j) => (means[1][j] - means[0][j]) / (variances[j] + data.floor));
  const middle = [0, 1].map((j) => (means[1][j] + means[0][j]) / 2);
  return [...w, Math.log(counts[1] / counts[0]) - w[0] * middle[0] - w[1] * middle[1]];
}

function logistic(points, labels) {
  const ridges = [data.ridge, data.ridge, 1e-6];  // not on b
  const loss = (v) => {
    let sum = 0;
    for (let i = 0; i < labels.length; i++) {
      const line = v[0] * points[2 * i] + v[1] * points[2 * i + 1] + v[2];
      sum += Math.max(line, 0) + Math.log1p(Math.exp(-Math.abs(line))) - labels[i] * line;
    }
    return sum + ridges.reduce((all, ridge, j) => all + ridge * v[j] ** 2 / 2, 0);
  };
  let v = [0, 0, 0], height = loss(v);
  for (let step = 0; step < 20; step++) {
    const move = solved(...slopes(v, points, labels, ridges));
    let length = 1, next, lower;
    do {  // the full step may be too long
      next = v.map((value, j) => value - length * move[j]);
      lower = loss(next);
      length /= 2;
    } while (lower > height && length > 1e-3);
    const done = height - lower < 1e-8 * (1 + height);
    if (lower < height) [v, height] = [next, lower];
    if (done) break;
  }
  return v;
}

// The second and the first derivatives of logistic regression's loss. In single numbers: this is what takes the time.
function slopes(v, points, labels, ridges) {
  let [xx, yy, cc] = ridges, xy = 0, x1 = 0, y1 = 0, [gx, gy, g1] = v.map((value, j) => ridges[j] * value);
  for (let i = 0; i < labels.length; i++) {
    const x = points[2 * i], y = points[2 * i + 1], p = 1 / (1 + Math.exp(-(v[0] * x + v[1] * y + v[2])));
    const off = p - labels[i], bend = p * (1 - p);
    gx += off * x;
    gy += off * y;
    g1 += off;
    xx += bend * x * x;
    yy += bend * y * y;
    cc += bend;
    xy += bend * x * y;
    x1 += bend * x;
    y1 += bend * y;
  }
  return [[[xx, xy, x1], [xy, yy, y1], [x1, y1, cc]], [gx, gy, g1]];
}

// H x = g for a symmetric, positive matrix: Gauss' elimination needs no exchange of rows.
function solved(H, g) {
  const rows = H.map((row, j) => [...row, g[j]]), x = [0, 0, 0];
  for (let j = 0; j < 3; j++) {
    for (let k = j + 1; k < 3; k++) {
      const factor = rows[k][j] / rows[j][j];
      for (let l = j; l < 4; l++) rows[k][l] -= factor * rows[j][l];
    }
  }
  for (let j = 2; j >= 0; j--) {
    x[j] = (rows[j][3] - rows[j].slice(j + 1, 3).reduce((sum, value, k) => sum + value * x[j + 1 + k], 0)) / rows[j][j];
  }
  return x;
}

const METHODS = { naive, logistic };
const noise = Array.from({ length: DRAWS }, (_, draw) => normals(draw + 1, 4 * COUNTS.at(-1)));
const world = { means: START.map((mean) => [...mean]), widths: [1, 1], tilt: 0 };
let count = COUNTS[2], shown = 0, held = 1;

// The first n examples of each class of a draw; moving the world moves them along.
function examples(draw, n) {
  const points = new Float64Array(4 * n), labels = [], flat = Math.sqrt(1 - world.tilt ** 2);
  for (let i = 0; i < 2 * n; i++) {
    const k = i % 2, [u, v] = noise[draw].subarray(2 * i, 2 * i + 2);
    points[2 * i] = world.means[k][0] + world.widths[k] * u;
    points[2 * i + 1] = world.means[k][1] + world.widths[k] * (world.tilt * u + flat * v);
    labels.push(k);
  }
  return [points, labels];
}

// How often w · x + b has the wrong sign: it is normal in each class.
function error([a, b, c]) {
  const deviation = Math.sqrt(a * a + b * b + 2 * world.tilt * a * b);
  const sides = world.means.map((mean, k) => (a * mean[0] + b * mean[1] + c) / (world.widths[k] * deviation));
  return deviation ? (below(sides[0]) + below(-sides[1])) / 2 : 0.5;
}

function curves() {
  const found = { naive: [], logistic: [] };
  for (const n of COUNTS) {
    const sums = { naive: 0, logistic: 0 };
    for (let draw = 0; draw < DRAWS; draw++) {
      const [points, labels] = examples(draw, n);
      for (const name in METHODS) sums[name] += error(METHODS[name](points, labels));
    }
    for (const name in METHODS) found[name].push(sums[name] / DRAWS);
  }
  return found;
}

const plane = find("plane"), canvas = plane.querySelector("canvas");
const board = find("board"), says = find("says");

function drawPlane(lines, [points, labels]) {
  const size = plane.clientWidth;
  if (!size) return;
  const pen = pencil(canvas, size, root), place = (v) => (v / EXTENT + 1) / 2 * size, ink = pen.strokeStyle;
  labels.forEach((k, i) => {
    pen.globalAlpha = 0.7;
    mark(pen, place(points[2 * i]), place(-points[2 * i + 1]), k);
  });
  pen.globalAlpha = 1;
  world.means.forEach((mean, k) => {
    pen.strokeStyle = ink;
    pen.lineWidth = k === held ? 3 : 1.5;
    pen.beginPath();
    for (let i = 0; i <= 60; i++) {  // one standard deviation around the mean
      const u = Math.cos(i * Math.PI / 30), v = Math.sin(i * Math.PI / 30);
      const up = world.tilt * u + Math.sqrt(1 - world.tilt ** 2) * v;
      pen.lineTo(place(mean[0] + world.widths[k] * u), place(-mean[1] - world.widths[k] * up));
    }
    pen.stroke();
  });
  pen.lineWidth = 3;
  for (const name in lines) {
    const [a, b, c] = lines[name], square = a * a + b * b, far = 3 * EXTENT;
    if (!square) continue;
    pen.strokeStyle = COLOURS[name];
    pen.setLineDash(name === "naive" ? [] : [8, 5]);
    pen.beginPath();
    for (const t of [-far, far]) {
      const across = t / Math.sqrt(square);
      pen.lineTo(place(-a * c / square - b * across), place(b * c / square - a * across));
    }
    pen.stroke();
  }
}

function drawBoard(found) {
  const size = board.clientWidth, edge = 44;
  if (!size) return;
  const pen = pencil(board, size, root), top = Math.max(0.1, ...found.naive, ...found.logistic);
  const x = (i) => edge + (size - edge - 14) * i / (COUNTS.length - 1), y = (value) => size - edge - (size - edge - 40) * value / top;
  const ink = pen.fillStyle;
  pen.textAlign = "center";
  COUNTS.forEach((n, i) => pen.fillText(n, x(i), size - edge + 18));
  pen.fillText("examples of each class", (size + edge) / 2, size - 8);
  pen.textAlign = "right";
  [0, top / 2, top].forEach((value) => pen.fillText(`${(100 * value).toFixed(0)} %`, edge - 6, y(value) + 4));
  pen.globalAlpha = 0.3;
  pen.strokeRect(x(COUNTS.indexOf(count)), y(top), 0, y(0) - y(top));
  pen.strokeRect(edge, y(0), size - edge - 14, 0);
  pen.globalAlpha = 1;
  pen.textAlign = "left";
  pen.lineWidth = 3;
  Object.keys(found).forEach((name, row) => {
    pen.strokeStyle = COLOURS[name];
    pen.setLineDash(name === "naive" ? [] : [8, 5]);
    pen.beginPath();
    found[name].forEach((value, i) => pen.lineTo(x(i), y(value)));
    pen.moveTo(edge + 8 + row * (size - edge) / 2.6, 14);
    pen.lineTo(edge + 36 + row * (size - edge) / 2.6, 14);
    pen.stroke();
    pen.fillStyle = ink;
    pen.fillText(NAMES[name], edge + 42 + row * (size - edge) / 2.6, 18);
  });
}

const percent = (share) => `${(100 * share).toFixed(1)} %`, number = (v) => v.toFixed(1).replace("-", "−");
const draw = redrawing(() => {
  const sample = examples(shown, count), found = curves();
  const lines = { naive: naive(...sample), logistic: logistic(...sample) };
  drawPlane(lines, sample);
  drawBoard(found);
  const mean = world.means[held], at = COUNTS.indexOf(count);
  says.textContent = `${held ? "crosses" : "circles"} at (${number(mean[0])}, ${number(mean[1])}) · ${count} of each class · `
    + `error: naive Bayes ${percent(error(lines.naive))}, logistic regression ${percent(error(lines.logistic))}`
    + ` · over ${DRAWS} draws: ${percent(found.naive[at])}, ${percent(found.logistic[at])}`;
  board.setAttribute("aria-label", "Learning curves. " + COUNTS.map((n, i) =>
    `${n}: naive Bayes ${percent(found.naive[i])}, logistic regression ${percent(found.logistic[i])}`).join("; "));
});

function moveTo(x, y) {
  const inside = (v) => Math.max(-EXTENT, Math.min(EXTENT, v));
  world.means[held] = [inside(x), inside(y)];
  draw();
}

plane.addEventListener("pointerdown", (event) => {
  plane.setPointerCapture(event.pointerId);
  const [x, y] = pointed(event, plane, EXTENT), away = world.means.map((mean) => Math.hypot(mean[0] - x, mean[1] - y));
  held = away[0] < away[1] ? 0 : 1;
  moveTo(x, y);
});
plane.addEventListener("pointermove", (event) => { if (event.buttons) moveTo(...pointed(event, plane, EXTENT)); });
plane.addEventListener("keydown", (event) => {
  const step = event.shiftKey ? 0.5 : 0.1;
  const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
  if (!move && event.key !== " " && event.key !== "Home") return;
  event.preventDefault();  // the page would scroll
  if (event.key === " ") held = 1 - held;
  if (event.key === "Home") world.means = START.map((mean) => [...mean]);
  if (move) moveTo(world.means[held][0] + move[0], world.means[held][1] + move[1]);
  else draw();
});
slide(find("count"), (position) => { count = COUNTS[position]; }, () => count, draw);
root.querySelectorAll(".gdlib-width").forEach((range, k) => {
  slide(range, (width) => { world.widths[k] = width; }, () => world.widths[k].toFixed(1), draw);
});
slide(find("tilt"), (tilt) => { world.tilt = tilt; }, () => number(world.tilt), draw);
find("play").addEventListener("click", () => { shown = (shown + 1) % DRAWS; draw(); });

// What the chapter's own code learns from some examples.
const { probe } = data, names = Object.keys(METHODS);
const learned = names.flatMap((name) => METHODS[name](unpack(probe.points), probe.labels));
agree(largestDifference(learned, names.flatMap((name) => probe[name])), 1e-3, {
  who: "the code above", what: "no number of a line",
});
root.bells = { world, error, examples, naive, logistic, curves };  // for tests and for the curious
draw();
