// A network with one hidden layer that learns in the page, from points that the reader draws.
import { agree, data, find, groupName, largestDifference, redrawing } from "./base.js";
import { mark, normals, pencil, pointed, slide } from "./pencil.js";
import { unpack } from "./unpack.js";

const EXTENT = 3, CELLS = 48, STEPS_A_FRAME = 10, MOST_POINTS = 300, MOST_LOSSES = 4000;
const COLOURS = ["#0072B2", "#D55E00"];
const sigmoid = (a) => 1 / (1 + Math.exp(-a));

// A network: W (H rows of 2), b (H), v (H) and c.
const network = ({ W, b, v, c }) => ({ W: Float64Array.from(W), b: Float64Array.from(b), v: Float64Array.from(v), c });

function logitAt({ W, b, v, c }, x, y) {
  let logit = c;
  for (let j = 0; j < b.length; j++) logit += v[j] * Math.max(0, W[2 * j] * x + W[2 * j + 1] * y + b[j]);
  return logit;
}

// One step of gradient descent on the mean loss, in place; returns the loss before it.
function step(net, points, labels, rate) {
  const { W, b, v } = net, n = labels.length, H = b.length;
  const gW = new Float64Array(2 * H), gb = new Float64Array(H), gv = new Float64Array(H);
  let gc = 0, loss = 0;
  for (let i = 0; i < n; i++) {
    const x = points[2 * i], y = points[2 * i + 1], logit = logitAt(net, x, y);
    loss += Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))) - labels[i] * logit;
    const g = (sigmoid(logit) - labels[i]) / n;
    gc += g;
    for (let j = 0; j < H; j++) {
      const a = W[2 * j] * x + W[2 * j + 1] * y + b[j];
      if (!(a > 0)) continue;
      const delta = g * v[j];
      gv[j] += g * a;
      gb[j] += delta;
      gW[2 * j] += delta * x;
      gW[2 * j + 1] += delta * y;
    }
  }
  for (let j = 0; j < H; j++) {
    v[j] -= rate * gv[j];
    b[j] -= rate * gb[j];
    W[2 * j] -= rate * gW[2 * j];
    W[2 * j + 1] -= rate * gW[2 * j + 1];
  }
  net.c -= rate * gc;
  return loss / n;
}

// As the chapter begins: weights of variance 1 and 1/H, biases of zero.
function beginning(H, seed) {
  const drawn = normals(seed, 3 * H);
  return { W: drawn.slice(0, 2 * H), b: new Float64Array(H), v: drawn.slice(2 * H, 3 * H).map((z) => z / Math.sqrt(H)), c: 0 };
}

const plane = find("plane"), canvas = plane.querySelector("canvas"), board = find("board");
const says = find("says"), play = find("play"), kinds = root.querySelectorAll(".gdlib-kind");
const world = { points: [], labels: [], net: null, losses: [], steps: 0, rate: 0, hidden: 0, seed: 1, running: false, kind: 1, at: [0, 0] };

function begin() {
  const probe = network(data.begin);
  world.net = world.seed === 1 && world.hidden === probe.b.length ? probe : beginning(world.hidden, world.seed);
  [world.losses, world.steps] = [[], 0];
}

function advance(count) {
  for (let k = 0; k < count; k++) {
    const loss = step(world.net, world.points, world.labels, world.rate);
    world.steps += 1;
    world.losses.push([world.steps, loss]);
  }
  // A long run keeps every other loss: its curve looks the same.
  if (world.losses.length > MOST_LOSSES) world.losses = world.losses.filter((_, i) => i % 2 === 0);
}

function drawPlane() {
  const size = plane.clientWidth;
  if (!size) return;
  const pen = pencil(canvas, size, root), ink = pen.strokeStyle;
  const place = (value) => (value / EXTENT + 1) / 2 * size, edge = (i) => Math.round(i * size / CELLS);
  for (let i = 0; i < CELLS; i++) for (let j = 0; j < CELLS; j++) {
    const x = ((i + 0.5) / CELLS * 2 - 1) * EXTENT, y = (1 - (j + 0.5) / CELLS * 2) * EXTENT;
    const p = sigmoid(logitAt(world.net, x, y));
    pen.globalAlpha = 0.5 * Math.abs(2 * p - 1);
    pen.fillStyle = COLOURS[p > 0.5 ? 1 : 0];
    pen.fillRect(edge(i), edge(j), edge(i + 1) - edge(i), edge(j + 1) - edge(j));
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.setLineDash([6, 4]);
  for (let j = 0; j < world.hidden; j++) {  // where the unit wakes
    const [u, w] = world.net.W.subarray(2 * j, 2 * j + 2), square = u * u + w * w, c = world.net.b[j];
    if (!square) continue;
    pen.beginPath();
    for (const t of [-3 * EXTENT, 3 * EXTENT]) {
      const across = t / Math.sqrt(square);
      pen.lineTo(place(-u * c / square - w * across), place(w * c / square - u * across));
    }
    pen.stroke();
  }
  pen.setLineDash([]);
  pen.strokeStyle = ink;
  world.labels.forEach((label, i) => mark(pen, place(world.points[2 * i]), place(-world.points[2 * i + 1]), label));
  const [x, y] = [place(world.at[0]), place(-world.at[1])];
  pen.globalAlpha = 0.8;
  pen.beginPath();  // where the keyboard's pen is
  [[-9, 0, -4, 0], [4, 0, 9, 0], [0, -9, 0, -4], [0, 4, 0, 9]].forEach(([a, b, c, d]) => { pen.moveTo(x + a, y + b); pen.lineTo(x + c, y + d); });
  pen.stroke();
}

function drawBoard() {
  const size = board.clientWidth, edge = 44;
  if (!size) return;
  const pen = pencil(board, size, root), last = Math.max(100, world.steps);
  const top = world.losses.reduce((most, [, loss]) => Math.max(most, loss), 0.8);
  const x = (n) => edge + (size - edge - 14) * n / last, y = (loss) => size - edge - (size - edge - 20) * loss / top;
  pen.textAlign = "center";
  [0, last / 2, last].forEach((n) => pen.fillText(n.toFixed(0), x(n), size - edge + 18));
  pen.fillText("steps", (size + edge) / 2, size - 8);
  pen.textAlign = "right";
  [0, top / 2, top].forEach((value) => pen.fillText(value.toFixed(1), edge - 6, y(value) + 4));
  pen.textAlign = "left";
  pen.fillText("loss", edge + 6, 14);
  pen.globalAlpha = 0.4;
  pen.setLineDash([3, 4]);
  pen.strokeRect(edge, y(Math.LN2), size - edge - 14, 0);  // of always saying one half
  pen.setLineDash([]);
  pen.strokeRect(edge, y(0), size - edge - 14, 0);
  pen.globalAlpha = 1;
  pen.lineWidth = 2;
  pen.beginPath();
  world.losses.forEach(([n, loss]) => pen.lineTo(x(n), y(Math.min(loss, top))));
  pen.stroke();
}

const percent = (share) => `${(100 * share).toFixed(0)} %`;
const draw = redrawing(() => {
  if (world.running) advance(STEPS_A_FRAME);
  drawPlane();
  drawBoard();
  const right = world.labels.filter((label, i) => (logitAt(world.net, world.points[2 * i], world.points[2 * i + 1]) > 0) === (label === 1)).length;
  const loss = world.losses.length ? world.losses.at(-1)[1].toFixed(3) : "not measured yet";
  const scored = world.labels.length ? `${percent(right / world.labels.length)} of ${world.labels.length} points right` : "no points yet";
  says.textContent = `${world.hidden} hidden units · step ${world.steps} · loss ${loss} · ${scored}`;
  board.setAttribute("aria-label", `The loss against steps. After step ${world.steps}: ${loss}.`);
  if (world.running) requestAnimationFrame(draw);
});

function run(on) {
  world.running = on && world.labels.length > 0;
  play.textContent = world.running ? "Pause" : "Train";
  says.setAttribute("aria-live", world.running ? "off" : "polite");  // nobody can listen to every frame
  draw();
}

function put(x, y) {
  if (world.labels.length >= MOST_POINTS) return;
  world.points.push(x, y);
  world.labels.push(world.kind);
  draw();
}

function choose(kind) {
  world.kind = kind;
  kinds.forEach((button, k) => { button.checked = k === kind; });
}

plane.addEventListener("pointerdown", (event) => {
  world.at = pointed(event, plane, EXTENT);
  put(...world.at);
});
plane.addEventListener("keydown", (event) => {
  const far = event.shiftKey ? 0.5 : 0.1;
  const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[event.key];
  if (!move && !["Enter", " ", "Backspace"].includes(event.key)) return;
  event.preventDefault();  // the page would scroll
  if (move) world.at = world.at.map((value, k) => Math.max(-EXTENT, Math.min(EXTENT, value + move[k])));
  if (event.key === "Enter") put(...world.at);
  if (event.key === " ") choose(1 - world.kind);
  if (event.key === "Backspace" && world.labels.length > 1) {
    world.points.splice(-2);
    world.labels.pop();
  }
  draw();
});
kinds.forEach((button, k) => {
  button.name = groupName;
  button.addEventListener("change", () => choose(k));
});
play.addEventListener("click", () => run(!world.running));
find("again").addEventListener("click", () => { world.seed += 1; begin(); draw(); });
find("reset").addEventListener("click", () => {
  Object.assign(world, { points: [...unpack(data.points)], labels: [...data.labels], seed: 1 });
  begin();
  run(false);
});
find("clear").addEventListener("click", () => { Object.assign(world, { points: [], labels: [] }); begin(); run(false); });

const RATES = [0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10];
slide(find("hidden"), (hidden) => { world.hidden = hidden; begin(); }, () => world.hidden, draw);
slide(find("rate"), (position) => { world.rate = RATES[position]; }, () => world.rate, draw);
Object.assign(world, { points: [...unpack(data.points)], labels: [...data.labels] });

// The chapter's own steps from the same beginning.
const { probe } = data, learned = network(data.begin), flat = ({ W, b, v, c }) => [...W, ...b, ...v, c];
for (let k = 0; k < probe.steps; k++) step(learned, unpack(data.points), data.labels, probe.rate);
agree(largestDifference(flat(learned), flat(probe.learned)), 1e-6, { who: "the code above", what: `no weight, after ${probe.steps} steps,` });
root.playground = { world, step, beginning, begin, run };  // for tests and for the curious
choose(1);
draw();
