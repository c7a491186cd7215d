/** The odds of the next token: two bars each, the model's and what the grammar leaves of it. */

import { text } from "../texts.js";
import { describeToken, showToken } from "./tokens.js";

/** @typedef {import("./pack.js").Pack} Pack */

const ROWS = 6;

export class OddsView {
  /** @param {HTMLElement} element an empty `ol` */
  constructor(element) {
    this.rows = Array.from({ length: ROWS }, () => makeRow());
    element.replaceChildren(...this.rows.map((row) => row.element));
  }

  /**
   * @param {Pack} pack
   * @param {number} step
   */
  show(pack, step) {
    const odds = pack.odds(step);
    const isGiven = step < pack.header.given;
    for (const [place, row] of this.rows.entries()) {
      const one = odds[place];
      row.element.hidden = !one;
      if (!one) continue;
      const name = pack.spell(one.token);
      row.token.textContent = showToken(name);
      row.token.title = describeToken(name);
      row.element.classList.toggle("is-forbidden", one.isForbidden);
      row.element.classList.toggle("is-drawn", one.isDrawn);
      row.element.dataset.model = one.model.toFixed(4);
      row.model.style.setProperty("--share", String(one.model));
      row.sampled.style.setProperty("--share", String(one.isForbidden ? 0 : one.sampled));
      row.modelNumber.textContent = percent(one.model);
      row.sampledNumber.textContent = one.isForbidden && !isGiven ? "–" : percent(one.sampled);
      row.note.textContent = describe(one, isGiven, pack.header.is_drawn);
    }
  }
}

/**
 * @param {import("./pack.js").Odds} one
 * @param {boolean} isGiven whether it was asked for
 * @param {boolean} isDrawn whether the tune was drawn as it stands
 */
export function describe(one, isGiven, isDrawn) {
  if (one.isDrawn) return text(isGiven ? "odds-given" : isDrawn ? "odds-drawn" : "odds-written");
  return one.isForbidden && !isGiven ? text("odds-forbidden") : "";
}

/** @param {number} share */
export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return text("percent", { value: "<0.1" });
  return text("percent", { value: value < 10 && value > 0 ? value.toFixed(1) : String(Math.round(value)) });
}

function makeRow() {
  const element = document.createElement("li");
  const token = add(element, "span", "token");
  const bars = add(element, "span", "bars");
  const model = add(bars, "span", "bar model");
  const sampled = add(bars, "span", "bar sampled");
  const numbers = add(element, "span", "numbers");
  const modelNumber = add(numbers, "span", "model");
  const sampledNumber = add(numbers, "span", "sampled");
  const note = add(element, "span", "note");
  return { element, token, model, sampled, modelNumber, sampledNumber, note };
}

/**
 * @param {HTMLElement} parent
 * @param {string} tag
 * @param {string} name
 */
function add(parent, tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  parent.append(element);
  return element;
}
