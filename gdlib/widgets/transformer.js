// A Transformer's encoder and decoder as models.transformer has them. Vectors are Float32Arrays, one a position.
import { data } from "./base.js";
import { connect, connectAll, softmax } from "./dense.js";
import { unpack, unpackLayer } from "./unpack.js";

// What packed_weights made: { integers, scale, bias } a layer, { type, data } an array, else a nest of them.
export function unpackWeights(nest) {
  if (nest.integers) return unpackLayer(nest);
  if (nest.data) return unpack(nest);
  return Object.fromEntries(Object.entries(nest).map(([name, inner]) => [name, unpackWeights(inner)]));
}

function plus(x, y) { return x.map((value, i) => value + y[i]); }

function normalize(x, { scale, bias }) {
  const mean = x.reduce((a, b) => a + b) / x.length;
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
  return x.map((value, i) => (value - mean) / Math.sqrt(variance + data.epsilon) * scale[i] + bias[i]);
}

// The vector of a token at a position: √width · embedding + sinusoids.
export function place(token, position, embedding, width) {
  const x = embedding.subarray(token * width, (token + 1) * width);
  return x.map((value, i) => {
    const angle = position * data.base ** (-2 * Math.floor(i / 2) / width);
    return Math.sqrt(width) * value + (i % 2 ? Math.cos(angle) : Math.sin(angle));
  });
}

// What one position finds among `seen` (keys and values of others), and each head's weights.
function look(x, seen, layers, heads) {
  const width = x.length, size = width / heads, queries = connect(x, layers.query);
  const found = new Float32Array(width), weights = [];
  for (let first = 0; first < width; first += size) {
    const scores = seen.map((other) => {
      let sum = 0;
      for (let i = first; i < first + size; i++) sum += queries[i] * other[i];
      return sum / Math.sqrt(size);
    });
    const shares = softmax(scores);
    seen.forEach((other, j) => {
      for (let i = first; i < first + size; i++) found[i] += shares[j] * other[width + i];
    });
    weights.push(shares);
  }
  return { sum: connect(found, layers.out), weights };
}

function feedForward(x, block) {
  const layers = [block.feed_forward.hidden, block.feed_forward.out];
  return plus(x, connectAll(normalize(x, block.before_feed_forward), layers));
}

// Vectors → the encoder's vectors, and the weights of each block: weights[block][position][head][looked at].
export function encode(xs, encoder, heads) {
  const weights = Object.values(encoder.blocks).map((block) => {
    const normal = xs.map((x) => normalize(x, block.before_attention));
    const seen = normal.map((h) => connect(h, block.attention.key_value));
    const looks = normal.map((h) => look(h, seen, block.attention, heads));
    xs = xs.map((x, t) => feedForward(plus(x, looks[t].sum), block));
    return looks.map((one) => one.weights);
  });
  return { xs: xs.map((x) => normalize(x, encoder.norm)), weights };
}

// A decoder of one text: token → { logits, own, cross }, the weights as [block][head][looked at]. It keeps the keys
// and values of what it has written.
export function decoder(encoded, weights, heads, width) {
  const blocks = Object.values(weights.blocks), kept = blocks.map(() => []);
  const source = blocks.map((block) => encoded.map((x) => connect(x, block.cross_attention.key_value)));
  return (token, position) => {
    let x = place(token, position, weights.targets.tokens.embedding, width);
    const own = [], cross = [];
    blocks.forEach((block, i) => {
      const normal = normalize(x, block.before_self_attention);
      kept[i].push(connect(normal, block.self_attention.key_value));
      const before = look(normal, kept[i], block.self_attention, heads);
      x = plus(x, before.sum);
      const text = look(normalize(x, block.before_cross_attention), source[i], block.cross_attention, heads);
      x = feedForward(plus(x, text.sum), block);
      own.push(before.weights);
      cross.push(text.weights);
    });
    return { logits: connect(normalize(x, weights.norm), weights.logits), own, cross };
  };
}
