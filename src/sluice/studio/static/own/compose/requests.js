/** Requests to the studio that change something. */

import { text } from "../texts.js";
import { readEvents } from "./events.js";

/** @typedef {import("./events.js").StreamEvent} StreamEvent */

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
  try {
    const answer = await post(address, method, form, "application/json");
    const data = answer.status === 204 ? {} : await answer.json();
    return { ok: answer.ok, data, seconds: Number(answer.headers.get("retry-after")) || 0 };
  } catch {
    return { ok: false, data: { problem: text("form-failed"), field: "" }, seconds: 0 };
  }
}

/**
 * Composes: the answer has the codes of the tunes, and the events of the first go on behind them.
 *
 * @param {string} address
 * @param {FormData} form
 * @returns {Promise<Answer & {events: AsyncGenerator<StreamEvent> | null}>}
 */
export async function start(address, form) {
  const failed = { ok: false, data: { problem: text("form-failed"), field: "" }, seconds: 0, events: null };
  try {
    const answer = await post(address, "POST", form, "text/event-stream, application/json");
    if (!answer.ok || !answer.body) {
      const seconds = Number(answer.headers.get("retry-after")) || 0;
      return { ok: false, data: await answer.json(), seconds, events: null };
    }
    const events = readEvents(answer.body);
    const first = await events.next();
    if (first.done) return failed;
    return { ok: true, data: JSON.parse(first.value.data), seconds: 0, events };
  } catch {
    return failed;
  }
}

/**
 * @param {string} address
 * @param {string} method
 * @param {FormData | null} form
 * @param {string} accept
 */
function post(address, method, form, accept) {
  const token = /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=csrf-token]")).content;
  return fetch(address, {
    method,
    headers: { accept, "x-csrf-token": token },
    body: form && new URLSearchParams(/** @type {any} */ (form)),
    keepalive: method === "DELETE",
  });
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
