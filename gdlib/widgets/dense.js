// A dense layer as the page holds it, { integers, scale, bias }, and what makes logits into probabilities.

// sums += x[from : from + count] @ integers[row : row + count]; the innermost loop runs along memory.
export function accumulate(sums, x, from, count, { integers }, row) {
  const outputs = sums.length;
  for (let i = 0; i < count; i++) {
    const value = x[from + i];
    if (value === 0) continue;  // about half of what a ReLU gives
    const start = (row + i) * outputs;
    for (let j = 0; j < outputs; j++) sums[j] += value * integers[start + j];
  }
}

export function connect(x, layer) {
  const sums = new Float32Array(layer.bias.length);
  accumulate(sums, x, 0, x.length, layer, 0);
  return sums.map((sum, j) => sum * layer.scale[j] + layer.bias[j]);
}

// All layers one after the other, ReLU between them: logits.
export function connectAll(x, layers) {
  layers.forEach((layer, depth) => {
    x = connect(x, layer);
    if (depth < layers.length - 1) x = x.map((value) => Math.max(value, 0));
  });
  return x;
}

export function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
