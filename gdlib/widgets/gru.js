// A GRU as models.rnn has it. Of both products come three parts: reset, update, candidate.
import { connect } from "./dense.js";

function sigmoid(x) { return 1 / (1 + Math.exp(-x)); }

// (h, x) → the next h.
export function gruStep(inputs, recurrent) {
  return (h, x) => {
    const driven = connect(x, inputs), own = connect(h, recurrent), units = h.length;
    return h.map((before, i) => {
      const reset = sigmoid(driven[i] + own[i]), update = sigmoid(driven[units + i] + own[units + i]);
      const candidate = Math.tanh(driven[2 * units + i] + reset * own[2 * units + i]);
      return (1 - update) * candidate + update * before;
    });
  };
}
