// What a figure is drawn with: a canvas as sharp as the screen, in the page's own colour.
export function pencil(target, size, root) {
  const ratio = window.devicePixelRatio || 1;
  target.width = target.height = size * ratio;
  const pen = target.getContext("2d");
  pen.scale(ratio, ratio);
  pen.strokeStyle = pen.fillStyle = getComputedStyle(root).color;
  pen.font = "12px sans-serif";
  return pen;
}

// A point of class 0 is a circle, one of class 1 a cross.
export function mark(pen, x, y, label) {
  pen.beginPath();
  if (label) [[-3, -3, 3, 3], [-3, 3, 3, -3]].forEach(([a, b, c, d]) => { pen.moveTo(x + a, y + b); pen.lineTo(x + c, y + d); });
  else pen.arc(x, y, 3, 0, 2 * Math.PI);
  pen.stroke();
}

// Standard normal numbers: the mulberry32 generator, and Box and Muller's transformation.
export function normals(seed, count) {
  const found = new Float64Array(count + count % 2);
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    found[i] = radius * Math.cos(angle);
    found[i + 1] = radius * Math.sin(angle);
  }
  return found;
}

// A slider: what is done with its value, how the value is shown beside its name, and what to draw then.
export function slide(range, take, shown, draw) {
  const follow = () => { take(Number(range.value)); range.labels[0].querySelector("output").textContent = shown(); };
  range.addEventListener("input", () => { follow(); draw(); });
  follow();
}

// Where in a plane from −extent to extent, y upwards, a pointer is.
export function pointed(event, plane, extent) {
  const box = plane.getBoundingClientRect();
  return [(2 * (event.clientX - box.left) / box.width - 1) * extent, (1 - 2 * (event.clientY - box.top) / box.height) * extent];
}
