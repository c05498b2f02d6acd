// Several rules walk down a surface from a start that the reader chooses.
import { add, agree, data, find, groupName, largestDifference, redrawing } from "./base.js";
import { pencil, pointed, slide } from "./pencil.js";

const EXTENT = 2, STEPS = 200, CELLS = 60, LEVELS = 14;
// Heights, and slopes by hand. All have a lowest point at height 0.
const SURFACES = {
  bowl: {
    height: (x, y) => 0.5 * (x * x + 20 * y * y),
    slope: (x, y) => [x, 20 * y],
  },
  valley: {
    height: (x, y) => (1 - x) ** 2 + 5 * (y - x * x) ** 2,
    slope: (x, y) => [-2 * (1 - x) - 20 * x * (y - x * x), 10 * (y - x * x)],
  },
  saddle: {
    height: (x, y) => 0.5 * x * x + 0.25 * (y * y - 1) ** 2,
    slope: (x, y) => [x, y * (y * y - 1)],
  },
};
// Each takes a slope, the state and the settings; returns what is added to the place.
const RULES = {
  "descent": (g, state, { rate }) => g.map((v) => -rate * v),
  "heavy ball": (g, state, { rate, momentum }) => {
    state.m = g.map((v, i) => v + momentum * (state.m?.[i] ?? 0));
    return state.m.map((v) => -rate * v);
  },
  "Nesterov": (g, state, { rate, momentum }) => {
    state.m = g.map((v, i) => v + momentum * (state.m?.[i] ?? 0));
    return g.map((v, i) => -rate * (v + momentum * state.m[i]));
  },
  "RMSProp": (g, state, { rate }) => {
    state.s = g.map((v, i) => 0.9 * (state.s?.[i] ?? 0) + 0.1 * v * v);
    return g.map((v, i) => -rate * v / Math.sqrt(state.s[i] + 1e-8));
  },
  "Adam": (g, state, { rate, momentum }) => {
    state.t = (state.t ?? 0) + 1;
    state.m = g.map((v, i) => momentum * (state.m?.[i] ?? 0) + (1 - momentum) * v);
    state.s = g.map((v, i) => 0.999 * (state.s?.[i] ?? 0) + 0.001 * v * v);
    return g.map((_, i) => -rate * state.m[i] / (1 - momentum ** state.t)
      / (Math.sqrt(state.s[i] / (1 - 0.999 ** state.t)) + 1e-8));
  },
};
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"], DASHES = [[], [9, 4], [3, 3], [9, 3, 3, 3], [1, 4]];

// The places of a rule from a start, one after each step; they end where a number is no longer one.
function path(surface, rule, start, settings, steps) {
  const places = [], state = {};
  let place = start;
  for (let k = 0; k < steps; k++) {
    const move = RULES[rule](SURFACES[surface].slope(...place), state, settings);
    place = place.map((value, i) => value + move[i]);
    if (!place.every((value) => Math.abs(value) < 1e6)) break;
    places.push(place);
  }
  return places;
}

const plane = find("plane"), canvas = plane.querySelector("canvas"), board = find("board"), says = find("says");
const world = { surface: Object.keys(SURFACES)[0], start: [...data.start], factor: 1, momentum: data.momentum };

function settingsOf(rule) {
  return { rate: world.factor * data.rates[rule], momentum: world.momentum };
}

function drawPlane(paths) {
  const size = plane.clientWidth;
  if (!size) return;
  const pen = pencil(canvas, size, root), ink = pen.strokeStyle, edge = (i) => Math.round(i * size / CELLS);
  const place = (value) => (value / EXTENT + 1) / 2 * size, { height } = SURFACES[world.surface];
  const level = (x, y) => Math.sqrt(height(x, y));
  const top = Math.max(level(-EXTENT, -EXTENT), level(EXTENT, EXTENT), level(-EXTENT, EXTENT));
  for (let i = 0; i < CELLS; i++) for (let j = 0; j < CELLS; j++) {
    const x = ((i + 0.5) / CELLS * 2 - 1) * EXTENT, y = (1 - (j + 0.5) / CELLS * 2) * EXTENT;
    pen.globalAlpha = 0.4 * (Math.floor(level(x, y) / top * LEVELS) % 2 ? 0.35 : 0.6) * Math.min(1, level(x, y) / top);
    pen.fillRect(edge(i), edge(j), edge(i + 1) - edge(i), edge(j + 1) - edge(j));
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 2;
  Object.values(paths).forEach((places, k) => {
    pen.strokeStyle = COLOURS[k];
    pen.setLineDash(DASHES[k]);
    pen.beginPath();
    pen.moveTo(place(world.start[0]), place(-world.start[1]));
    places.forEach(([x, y]) => pen.lineTo(place(x), place(-y)));
    pen.stroke();
  });
  pen.setLineDash([]);
  pen.strokeStyle = ink;
  pen.beginPath();
  pen.arc(place(world.start[0]), place(-world.start[1]), 6, 0, 2 * Math.PI);
  pen.stroke();
}

function drawBoard(paths) {
  const size = board.clientWidth, edge = 44;
  if (!size) return;
  const pen = pencil(board, size, root), { height } = SURFACES[world.surface], ink = pen.fillStyle;
  const x = (k) => edge + (size - edge - 14) * k / STEPS;
  const y = (value) => 20 + (size - edge - 20) * (2 - Math.max(-6, Math.min(2, Math.log10(value)))) / 8;  // from 100 to a millionth
  pen.textAlign = "center";
  [0, STEPS / 2, STEPS].forEach((k) => pen.fillText(k, x(k), size - edge + 18));
  pen.fillText("steps", (size + edge) / 2, size - 8);
  pen.textAlign = "right";
  [2, 0, -2, -4, -6].forEach((power) => pen.fillText(`1e${power}`, edge - 6, y(10 ** power) + 4));
  pen.textAlign = "left";
  pen.lineWidth = 2;
  Object.entries(paths).forEach(([name, places], k) => {
    pen.strokeStyle = COLOURS[k];
    pen.setLineDash(DASHES[k]);
    pen.beginPath();
    [world.start, ...places].forEach((place, step) => pen.lineTo(x(step), y(height(...place))));
    const row = 34 + 16 * k;
    pen.moveTo(size - 118, row - 4);
    pen.lineTo(size - 90, row - 4);
    pen.stroke();
    pen.fillStyle = ink;
    pen.fillText(name, size - 84, row);
  });
}

const number = (value) => value.toFixed(1).replace("-", "−");
// In words: where a rule came to.
function fate(places) {
  if (places.length < STEPS) return `leaves after ${places.length + 1} steps`;
  const arrived = places.findIndex((place) => SURFACES[world.surface].height(...place) < 1e-3);
  return arrived < 0 ? `is at height ${SURFACES[world.surface].height(...places.at(-1)).toPrecision(2)}` : `is below 0.001 after ${arrived + 1} steps`;
}

const draw = redrawing(() => {
  const paths = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, path(world.surface, rule, world.start, settingsOf(rule), STEPS)]));
  drawPlane(paths);
  drawBoard(paths);
  const fates = Object.entries(paths).map(([name, places]) => `${name} ${fate(places)}`).join("; ");
  says.textContent = `${world.surface} · from (${number(world.start[0])}, ${number(world.start[1])}): ${fates}`;
  board.setAttribute("aria-label", `Heights against steps. ${fates}.`);
});

function startAt(place) {
  world.start = place.map((value) => Math.max(-EXTENT, Math.min(EXTENT, value)));
  draw();
}

plane.addEventListener("pointerdown", (event) => { plane.setPointerCapture(event.pointerId); startAt(pointed(event, plane, EXTENT)); });
plane.addEventListener("pointermove", (event) => { if (event.buttons) startAt(pointed(event, plane, EXTENT)); });
plane.addEventListener("keydown", (event) => {
  const far = event.shiftKey ? 0.5 : 0.1;
  const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[event.key];
  if (!move && event.key !== "Home") return;
  event.preventDefault();  // the page would scroll
  startAt(move ? world.start.map((value, i) => value + move[i]) : [...data.start]);
});
Object.keys(SURFACES).forEach((name, k) => {
  const label = add(find("surfaces"), "label", {});
  const input = add(label, "input", { type: "radio", name: groupName, value: name, checked: k === 0 });
  label.append(` ${name} `);
  input.addEventListener("change", () => { world.surface = name; draw(); });
});
slide(find("rate"), (power) => { world.factor = 10 ** power; }, () => `× ${world.factor.toPrecision(2)}`, draw);
find("momentum").value = data.momentum;
slide(find("momentum"), (momentum) => { world.momentum = momentum; }, () => world.momentum.toFixed(2), draw);

// What gdlib's own rules do from the first start, on each surface.
const { paths } = data;
const differences = Object.entries(paths).flatMap(([surface, rules]) => Object.entries(rules).map(([rule, expected]) => {
  const settings = { rate: data.rates[rule], momentum: data.momentum };
  return largestDifference(path(surface, rule, data.start, settings, expected.length / 2).flat(), expected);
}));
agree(Math.max(...differences), 1e-3, { who: "gdlib", what: "no place of a path" });
root.descent = { world, path, draw };  // for tests and for the curious
draw();
