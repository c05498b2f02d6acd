// A convolutional network as models.cnn has it. Images and maps lie in memory as in Flax: row by row, pixel by
// pixel, all channels of one side by side.
import { data } from "./base.js";
import { accumulate, connectAll, softmax } from "./dense.js";

const WINDOW = data.window, POOL = data.pool;

// A convolution, ReLU and pooling. What a row of the window sees lies side by side, and so do its weights.
function convolve(map, layer) {
  const { scale, bias } = layer, channels = bias.length, seen = WINDOW * map.channels;
  const size = (n) => Math.floor((n - WINDOW + 1) / POOL);  // an odd last row or column is ignored
  const made = { height: size(map.height), width: size(map.width), channels };
  made.values = new Float32Array(made.height * made.width * channels);  // the largest so far, or 0: the ReLU
  const sums = new Float32Array(channels);
  for (let y = 0; y < made.height * POOL; y++) for (let x = 0; x < made.width * POOL; x++) {
    sums.fill(0);
    for (let dy = 0; dy < WINDOW; dy++) {
      accumulate(sums, map.values, ((y + dy) * map.width + x) * map.channels, seen, layer, dy * seen);
    }
    const cell = (Math.floor(y / POOL) * made.width + Math.floor(x / POOL)) * channels;
    for (let j = 0; j < channels; j++) {
      made.values[cell + j] = Math.max(made.values[cell + j], sums[j] * scale[j] + bias[j]);
    }
  }
  return made;
}

// image → what the network says of it, and its feature maps after each pooling.
export function network(convolutions, dense, height, width) {
  return (image) => {
    const maps = [];
    let map = { height, width, channels: 1, values: image };
    for (const layer of convolutions) maps.push(map = convolve(map, layer));
    return { probabilities: softmax(connectAll(map.values, dense)), maps };
  };
}
