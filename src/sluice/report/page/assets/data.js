// The data of the page, how its numbers are decoded, and elements.
const DATA = JSON.parse(document.getElementById("data").textContent);
// What to show of a kind of data: VIEWS[kind] = { title, mount(root, data, state), text, predictions }.
const VIEWS = {};
const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Every packed tensor of the payload gets its bytes, every packed text its text; this is the only part that waits.
async function inflateAll(value) {
  if (value === null || typeof value !== "object") return;
  if (typeof value.data === "string" && value.shape) {
    value.bytes = await inflate(value.data);
    delete value.data;
  } else if (typeof value.zip === "string") {
    value.text = new TextDecoder().decode(await inflate(value.zip));
    delete value.zip;
  } else await Promise.all(Object.values(value).map(inflateAll));
}

// Numbers of at most 16 bits: all low bytes, then all high ones. On a logarithmic scale code 0 is 0.
function unpack({ bytes, low, high, log, steps = 65535 }) {
  const count = bytes.length / 2, values = log ? new Float64Array(count) : new Float32Array(count);
  const from = log ? Math.log(low) : low, scale = log ? (Math.log(high) - from) / log : (high - low) / steps;
  for (let k = 0; k < count; k++) {
    const code = bytes[k] | (bytes[count + k] << 8);
    values[k] = !log ? from + scale * code : code ? Math.exp(from + scale * (code - 1)) : 0;
  }
  return values;
}

const cache = new WeakMap();
// A named value of a layer: numbers in rows (step, unit), with width and range.
function values(place, name) {
  const packed = place.values[name];
  if (!cache.has(packed)) cache.set(packed, { v: unpack(packed), width: packed.shape[1], low: packed.low, high: packed.high });
  return cache.get(packed);
}

// A unit's number at a step; undefined where it is not in this file.
function valueAt(place, name, unit, step) {
  const found = values(place, name), column = place.units.indexOf(unit);
  return column < 0 || column >= found.width ? undefined : found.v[step * found.width + column];
}

// One unit over time, or null where it is not in this file.
function unitOverTime(place, name, unit) {
  const { v, width } = values(place, name), column = place.units.indexOf(unit);
  return column < 0 || column >= width ? null : Float32Array.from({ length: v.length / width }, (_, t) => v[t * width + column]);
}

const shown = (token) => String(token).replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥");
const labelOf = (axis, step) => (axis.tokens ? shown(axis.tokens[step] ?? "") : String(axis.times?.[step] ?? ""));
// "step 12 ␣", or "step 12 (09:00)" where the steps have times.
function stepName(data, axis, step) {
  const label = labelOf(data.axes[axis], step);
  return `step ${data.axes[axis].first + step}${label && (data.axes[axis].tokens ? ` ${label}` : ` (${label})`)}`;
}
const number = (v) =>
  v === undefined || v === null ? "–" : v !== 0 && (Math.abs(v) < 0.001 || Math.abs(v) >= 1e5) ? v.toExponential(2) : v.toFixed(3);
const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// A value's symbol: with its subscript, or without.
const bare = (symbol) => symbol.split("_")[0];
const symbol = (text) => el("i", {}, bare(text), el("sub", {}, text.slice(bare(text).length + 1).replace(/[{}]/g, "")));
const named = (name, text) => (bare(text) === name ? [symbol(text)] : [name + " ", symbol(text)]);

const SVG = new Set(["svg", "path", "line", "circle", "text", "g", "rect", "polygon", "title", "image"]);
function el(tag, attributes = {}, ...children) {
  const element = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
