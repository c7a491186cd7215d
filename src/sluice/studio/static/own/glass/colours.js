/** From values to colours, on a light page and on a dark one; legible with any colour vision. */

/** @type {Record<string, string[]>} */
const SCALES = {
  // of a gate, from closed to open
  "gate-light": ["#f7f1e3", "#f3d9a4", "#e9b45c", "#cf8420", "#96540c", "#5a2e06"],
  "gate-dark": ["#22252c", "#4a3a22", "#7d5718", "#b57b1c", "#e4aa3f", "#ffe2a0"],
  // of anything else, from the least through 0 to the greatest (after RdBu and berlin)
  "signed-light": ["#0b3c74", "#2f79b5", "#8fc0de", "#f6f2ea", "#f0a989", "#cc5644", "#850f25"],
  "signed-dark": ["#a9c4ff", "#5aa3da", "#265a77", "#1c1f25", "#6b2413", "#c06a52", "#ffb4a4"],
};

/** @param {string} hex */
function parse(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** 256 colours of each scale, as [red, green, blue] one after the other. */
const TABLES = Object.fromEntries(
  Object.entries(SCALES).map(([name, stops]) => [name, interpolate(stops.map(parse))]),
);

/** @param {number[][]} stops */
function interpolate(stops) {
  const table = new Uint8ClampedArray(256 * 3);
  for (let place = 0; place < 256; place++) {
    const along = (place / 255) * (stops.length - 1);
    const left = Math.min(Math.floor(along), stops.length - 2);
    for (let part = 0; part < 3; part++) {
      const [from, to] = [stops[left][part], stops[left + 1][part]];
      table[place * 3 + part] = from + (to - from) * (along - left);
    }
  }
  return table;
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

export class Scale {
  /**
   * @param {boolean} isGate whether values lie from 0 to 1
   * @param {number} limit else from -limit to limit
   */
  constructor(isGate, limit) {
    this.low = isGate ? 0 : -limit;
    this.high = isGate ? 1 : limit;
    this.table = TABLES[`${isGate ? "gate" : "signed"}-${dark.matches ? "dark" : "light"}`];
  }

  /** @param {number} value */
  place(value) {
    const share = (value - this.low) / (this.high - this.low);
    return 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
  }

  /**
   * @param {number} value
   * @returns {[number, number, number]}
   */
  rgb(value) {
    const at = this.place(value);
    return [this.table[at], this.table[at + 1], this.table[at + 2]];
  }

  /** @param {number} value */
  css(value) {
    return `rgb(${this.rgb(value).join(" ")})`;
  }

  /**
   * Black or white, whichever is read better on the colour of a value: at least 4.58 to 1.
   *
   * @param {number} value
   */
  ink(value) {
    const [r, g, b] = this.rgb(value).map((one) => {
      const share = one / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  }
}

/** @param {() => void} action when the page changes between light and dark */
export function onThemeChange(action) {
  dark.addEventListener("change", action);
}
