// Arrays as the page holds them: base64 of their bytes, with the name of their type.
const ARRAYS = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, float32: Float32Array, float64: Float64Array };
export const unpack = ({ type, data }) =>
  new ARRAYS[type](Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
// A dense layer, or a convolution: { integers, scale, bias }.
export const unpackLayer = (layer) =>
  Object.fromEntries(Object.entries(layer).map(([name, array]) => [name, unpack(array)]));
