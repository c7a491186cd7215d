/** Requests to the studio that change something. */

import { text } from "../texts.js";

/**
 * @typedef {object} Answer
 * @property {boolean} ok
 * @property {any} data what was answered; of a refusal `{problem, field}`
 * @property {number} seconds to wait before another try, of a refusal that says so; else 0
 */

/**
 * @param {string} address
 * @param {string} method
 * @param {FormData | null} [form]
 * @returns {Promise<Answer>}
 */
export async function send(address, method, form = null) {
  const token = /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=csrf-token]")).content;
  try {
    const answer = await fetch(address, {
      method,
      headers: { accept: "application/json", "x-csrf-token": token },
      body: form && new URLSearchParams(/** @type {any} */ (form)),
      keepalive: method === "DELETE",
    });
    const data = answer.status === 204 ? {} : await answer.json();
    return { ok: answer.ok, data, seconds: Number(answer.headers.get("retry-after")) || 0 };
  } catch {
    return { ok: false, data: { problem: text("form-failed"), field: "" }, seconds: 0 };
  }
}

/**
 * @param {string} code
 * @returns {Promise<HTMLElement | null>} the card of a tune
 */
export async function fetchCard(code) {
  try {
    const answer = await fetch(`/c/${code}/card`);
    if (!answer.ok) return null;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const card = /** @type {HTMLElement | null} */ (parsed.querySelector("[data-tune]"));
    return card && document.importNode(card, true);
  } catch {
    return null;
  }
}
