// The data of the page, and how its numbers are decoded.
const DATA = JSON.parse(document.getElementById("data").textContent);
const STEPS = DATA.tokens.length;
const byId = (id) => document.getElementById(id);

function unpack(packed) {
  const raw = atob(packed.data), scale = (packed.high - packed.low) / 65535;
  const values = new Float64Array(raw.length / 2);
  for (let k = 0; k < values.length; k++)
    values[k] = packed.low + scale * (raw.charCodeAt(2 * k) | (raw.charCodeAt(2 * k + 1) << 8));
  return values;
}

const cache = new Map();
// A named value of a layer: numbers in rows (step, unit), with width and range.
function values(place, name) {
  const key = place.name + "/" + name;
  if (!cache.has(key)) {
    const packed = place.values[name];
    cache.set(key, { v: unpack(packed), width: packed.shape[1], low: packed.low, high: packed.high });
  }
  return cache.get(key);
}

// A unit's number at a step; undefined where it is not in this file.
function valueAt(place, name, unit, step) {
  const found = values(place, name), column = place.units.indexOf(unit);
  return column < 0 || column >= found.width ? undefined : found.v[step * found.width + column];
}

const shown = (token) => token.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥");
const number = (v) =>
  v === undefined || v === null ? "–" : v !== 0 && (Math.abs(v) < 0.001 || Math.abs(v) >= 1e5) ? v.toExponential(2) : v.toFixed(3);

// A value's symbol: with its subscript, or without.
const bare = (symbol) => symbol.split("_")[0];
const symbol = (text) => el("i", {}, bare(text), el("sub", {}, text.slice(bare(text).length + 1).replace(/[{}]/g, "")));
const named = (name, text) => (bare(text) === name ? [symbol(text)] : [name + " ", symbol(text)]);

function el(tag, attributes = {}, ...children) {
  const isSvg = ["svg", "path", "line", "circle", "text", "g", "rect"].includes(tag);
  const element = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "class") element.setAttribute("class", value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
