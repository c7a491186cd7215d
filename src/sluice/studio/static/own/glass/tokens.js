/** The tokens of a tune in a strip, coloured by a value; and in words. */

import { text } from "../texts.js";

/** @typedef {import("./pack.js").Pack} Pack */
/** @typedef {import("./colours.js").Scale} Scale */

export class TokenStrip {
  /**
   * @param {HTMLElement} element
   * @param {Pack} pack
   * @param {(step: number) => void} choose
   */
  constructor(element, pack, choose) {
    this.element = element;
    this.chips = Array.from({ length: pack.steps }, (_, step) => {
      const chip = document.createElement("span");
      chip.className = "chip-token";
      const name = step === 0 ? "" : pack.tokens[step - 1];
      chip.textContent = step === 0 ? text("start") : showToken(name);
      chip.title = step === 0 ? text("token-start") : describeToken(name);
      if (step > 0 && pack.header.lines[step - 1]) chip.classList.add("is-line");
      chip.dataset.step = String(step);
      return chip;
    });
    element.replaceChildren(...this.chips);
    element.addEventListener("click", (event) => {
      const chip = /** @type {HTMLElement} */ (event.target).closest("[data-step]");
      if (chip instanceof HTMLElement) choose(Number(chip.dataset.step));
    });
    /** @type {HTMLElement | null} */
    this.current = null;
  }

  /**
   * @param {(step: number) => number} read the value after each step
   * @param {Scale} scale
   */
  colour(read, scale) {
    for (const [step, chip] of this.chips.entries()) {
      const value = read(step);
      chip.style.backgroundColor = scale.css(value);
      chip.style.color = scale.ink(value);
    }
  }

  /** @param {number} step */
  place(step) {
    this.current?.classList.remove("is-current");
    const chip = (this.current = this.chips[step]);
    chip.classList.add("is-current");
    this.element.scrollLeft = chip.offsetLeft + chip.offsetWidth / 2 - this.element.clientWidth / 2;
  }
}

/**
 * @param {string} token as the model spells it
 * @returns {string} as it is shown: a bar line's count behind it
 */
export function showToken(token) {
  if (!token) return text("end");
  return token.replace(/\{(\d+)\}/, " $1").replace(/^[RMK]:(C(?=[a-z]))?/, "");
}

/**
 * @param {string} token
 * @returns {string} in words
 */
export function describeToken(token) {
  if (!token) return text("token-end");
  const counted = /^(.*)\{(\d+)\}$/.exec(token);
  if (counted) return text("token-count", { line: counted[1], bars: counted[2] });
  if (token.startsWith("R:")) return text("token-dance", { value: token.slice(2) });
  if (token.startsWith("M:")) return text("token-meter", { value: token.slice(2) });
  if (token.startsWith("K:")) return text("token-mode", { value: token.slice(3) });
  if (/^[|:]/.test(token)) return text("token-line", { line: token });
  if (/^[_^=]*[A-Ga-g][,']*$/.test(token)) return text("token-note", { value: token });
  if (/^[\d/]+$/.test(token)) return text("token-length", { value: token });
  if (token === "z") return text("token-rest");
  if (token === "-") return text("token-tie");
  if (token.startsWith("(")) return text("token-tuplet");
  return token === "[" || token === "]" ? text("token-chord") : token;
}
