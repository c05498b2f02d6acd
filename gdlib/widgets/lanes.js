// Workers as lanes on a clock: who computes, who waits, and what becomes of a weight that falls down ½ w².
import { add, agree, data, find, groupName, largestDifference, redrawing } from "./base.js";
import { pencil, slide } from "./pencil.js";

const RULES = ["wait", "backup", "nobody waits"], { times, seconds, paths } = data, WORKERS = times.length;
const world = { rule: RULES[0], ...data.settings };

// How long the k-th gradient of a worker takes: one second on average, of which a share is random; the first is slower.
const duration = (worker, k, { uneven, slow }) =>
  (1 - uneven + uneven * times[worker][k % times[worker].length]) * (worker === 0 ? slow : 1);

// What happens: bars of work, [worker, from, to, used], and the updates, [time, age of the gradient or gradients, worker or −1].
function together(settings, used) {
  const bars = [], updates = [];
  let now = 0;
  for (let k = 0; now < seconds; k++) {
    const ends = times.map((_, worker) => now + duration(worker, k, settings));
    const done = [...ends].sort((a, b) => a - b)[used - 1];
    ends.forEach((end, worker) => bars.push([worker, now, Math.min(end, done), end <= done]));
    now = done;
    if (now < seconds) updates.push([now, 0, -1]);
  }
  return { bars, updates };
}

function alone(settings) {
  const bars = [], updates = [], state = times.map((_, worker) => ({ begun: 0, done: duration(worker, 0, settings), k: 1, read: 0 }));
  for (;;) {
    const worker = state.reduce((first, one, i) => (one.done < state[first].done ? i : first), 0), own = state[worker];
    if (own.done >= seconds) break;
    bars.push([worker, own.begun, own.done, true]);
    updates.push([own.done, updates.length - own.read, worker]);
    Object.assign(own, { begun: own.done, done: own.done + duration(worker, own.k, settings), k: own.k + 1, read: updates.length });
  }
  state.forEach((own, worker) => bars.push([worker, own.begun, own.done, true]));
  return { bars, updates };
}

const events = (rule, settings) => (rule === "nobody waits" ? alone(settings) : together(settings, WORKERS - (rule === "backup" ? 1 : 0)));

// The weight after each update, from 1: each takes the gradient of as many updates ago as it is old.
function fall(updates, rate) {
  const w = [1];
  updates.forEach(([, age]) => w.push(w.at(-1) - rate * w[w.length - 1 - age]));
  return w.slice(1);
}

const lanes = find("lanes"), board = find("fate"), says = find("says");

function drawLanes({ bars, updates }) {
  const size = lanes.clientWidth;
  if (!size) return;
  const pen = pencil(lanes, size, root), edge = 26, high = (size - edge) / WORKERS, ink = pen.fillStyle;
  const x = (time) => edge + (size - edge) * Math.min(time, seconds) / seconds;
  bars.forEach(([worker, from, to, used]) => {
    pen.globalAlpha = used ? 0.75 : 0.25;
    pen.fillStyle = worker === 0 && world.slow > 1 ? "#D55E00" : "#0072B2";
    pen.fillRect(x(from), worker * high + 3, Math.max(0, x(to) - x(from) - 1.5), high - 6);
  });
  pen.globalAlpha = 1;
  pen.fillStyle = ink;
  pen.textAlign = "right";
  times.forEach((_, worker) => pen.fillText(worker + 1, edge - 6, (worker + 0.5) * high + 4));
  pen.beginPath();
  updates.forEach(([time, , worker]) => {
    const [top, foot] = worker < 0 ? [0, WORKERS] : [worker, worker + 1];
    pen.moveTo(x(time), top * high + 1);
    pen.lineTo(x(time), foot * high - 1);
  });
  pen.stroke();
  pen.textAlign = "center";
  [0, seconds / 2, seconds].forEach((time) => pen.fillText(`${time} s`, Math.min(x(time), size - 12), size - 8));
}

function drawBoard(updates, w) {
  const size = board.clientWidth, edge = 44;
  if (!size) return;
  const pen = pencil(board, size, root), x = (time) => edge + (size - edge - 14) * time / seconds;
  const y = (value) => 20 + (size - edge - 20) * (4 - Math.max(-8, Math.min(4, Math.log10(Math.abs(value) + 1e-30)))) / 12;
  pen.textAlign = "right";
  [4, 0, -4, -8].forEach((power) => pen.fillText(`1e${power}`, edge - 6, y(10 ** power) + 4));
  pen.textAlign = "center";
  pen.fillText("|w| against seconds", (size + edge) / 2, size - 8);
  pen.lineWidth = 2;
  pen.strokeStyle = "#0072B2";
  pen.beginPath();
  pen.moveTo(x(0), y(1));
  w.forEach((value, k) => pen.lineTo(x(updates[k][0]), y(value)));
  pen.stroke();
}

const draw = redrawing(() => {
  const { bars, updates } = events(world.rule, world), w = fall(updates, world.rate);
  drawLanes({ bars, updates });
  drawBoard(updates, w);
  const busy = bars.reduce((sum, [, from, to, used]) => sum + (used ? Math.max(0, Math.min(to, seconds) - from) : 0), 0);
  const oldest = Math.max(0, ...updates.map(([, age]) => age)), end = Math.abs(w.at(-1) ?? 1);
  const fate = end < 1 ? `|w| has fallen to ${end.toExponential(0)}` : `|w| has grown to ${end.toExponential(0)}`;
  const idle = Math.round(100 * (1 - busy / (WORKERS * seconds)));
  says.textContent = `${world.rule}: ${updates.length} updates, ${idle} % of the time lost, oldest gradient ${oldest} updates old; ${fate}`;
  board.setAttribute("aria-label", `Size of w against seconds: ${fate}.`);
  lanes.setAttribute("aria-label", `${WORKERS} workers as lanes on a clock of ${seconds} seconds; ${idle} % of the time lost.`);
});

RULES.forEach((name, k) => {
  const label = add(find("rules"), "label", {});
  const input = add(label, "input", { type: "radio", name: groupName, value: name, checked: k === 0 });
  label.append(` ${name} `);
  input.addEventListener("change", () => { world.rule = name; draw(); });
});
["uneven", "slow", "rate"].forEach((name) => {
  find(name).value = data.settings[name];
  slide(find(name), (value) => { world[name] = value; }, () => world[name].toFixed(2), draw);
});

// What the chapter's own simulation makes of the same times.
const differences = Object.entries(paths).map(([rule, expected]) => largestDifference(fall(events(rule, data.settings).updates, data.settings.rate), expected));
agree(Math.max(...differences), 1e-6, { who: "the chapter", what: "no place of w" });
root.lanes = { world, events, fall, draw };  // for tests and for the curious
draw();
