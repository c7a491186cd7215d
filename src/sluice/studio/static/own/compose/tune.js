/** The card of a tune: it grows while it is composed, and then offers what can be done with it. */

import { Player } from "../player.js";
import { text } from "../texts.js";
import { fetchCard, send } from "./requests.js";
import { TuneStream } from "./stream.js";

const MOST_TOKENS_SHOWN = 24;

/**
 * @typedef {object} Actions what the page does for its cards
 * @property {(card: TuneCard) => void} remove
 * @property {(form: FormData, card: TuneCard) => Promise<import("./requests.js").Answer>} again
 * @property {(card: TuneCard) => void} change
 * @property {(form: FormData, card: TuneCard) => Promise<import("./requests.js").Answer>} edit
 * @property {() => void} finish told when a tune is written
 * @property {(sentence: string) => void} say
 */

export class TuneCard {
  /**
   * @param {HTMLElement} element
   * @param {Actions} actions
   * @param {AsyncGenerator<import("./events.js").StreamEvent> | null} [events] that come already
   */
  constructor(element, actions, events = null) {
    this.element = element;
    this.actions = actions;
    this.player = Player.of(/** @type {HTMLElement} */ (element.querySelector("[data-player]")));
    /** @type {string[]} */
    this.tokens = [];
    /** @type {TuneStream | null} */
    this.stream = null;
    const remove = /** @type {HTMLButtonElement} */ (element.querySelector("[data-remove]"));
    remove.hidden = false;
    remove.addEventListener("click", () => actions.remove(this));
    element.addEventListener("bars-selected", (event) => this.select(/** @type {CustomEvent} */ (event).detail));
    element.addEventListener("score-drawn", () => this.markChanged());
    this.connectDetails();
    if (this.isUnfinished) this.listen(events);
  }

  get code() {
    return this.element.dataset.code ?? "";
  }

  get state() {
    return this.element.dataset.state ?? "";
  }

  get isUnfinished() {
    return this.code !== "" && (this.state === "waiting" || this.state === "running");
  }

  get title() {
    return this.part("[data-title]").textContent ?? "";
  }

  /** @returns {import("./form.js").Values} */
  get values() {
    return JSON.parse(this.element.dataset.values || "{}");
  }

  /**
   * Follows the composing of the tune.
   *
   * @param {AsyncGenerator<import("./events.js").StreamEvent> | null} [events]
   */
  listen(events = null) {
    if (this.stream) return;
    this.element.classList.add("is-live");
    this.element.setAttribute("aria-busy", "true");
    this.stream = new TuneStream(
      this.code,
      (event) => this.receive(event),
      (isWaiting) => this.showWaiting(isWaiting),
      events,
    );
  }

  /** No longer on the page; `listen` goes on where it was. */
  leave() {
    this.player.pause();
    this.stream?.close();
    this.stream = null;
    this.tokens = [];
  }

  /** @param {import("./stream.js").ComposingEvent} event */
  receive({ kind, data }) {
    if (kind === "start") this.start(data);
    else if (kind === "tokens") this.grow(data);
    else if (kind === "again") this.wipe(data);
    else if (kind === "progress") this.progress(data.fraction);
    else if (kind === "done") void this.finish(data);
    else this.fail(data.sentence);
  }

  /** @param {any} data */
  start(data) {
    this.element.dataset.state = "running";
    this.part("[data-title]").textContent = data.title || text("tune-begins");
    const parts = [data.dance, data.meter, data.key].filter(Boolean);
    this.part("[data-summary]").textContent = parts.join(" · ");
    this.part("[data-score]").dataset.label = data.title;
  }

  /** @param {any} data */
  grow(data) {
    this.tokens.push(...data.t);
    const shown = this.part("[data-tokens]");
    shown.hidden = false;
    shown.textContent = this.tokens.slice(-MOST_TOKENS_SHOWN).join(" ");
    if (!data.abc) return;
    this.part("[data-abc]").textContent = data.abc;
    this.player.score.grow(data.abc);
  }

  /** @param {any} data */
  wipe(data) {
    this.tokens = [];
    this.part("[data-tokens]").textContent = "";
    this.part("[data-abc]").textContent = "";
    this.player.score.clear();
    this.actions.say(text("tune-again", { seed: data.seed }));
  }

  /** @param {number} fraction */
  progress(fraction) {
    const bar = /** @type {HTMLProgressElement} */ (this.part("[data-progress]"));
    bar.hidden = false;
    bar.value = fraction;
  }

  /** @param {any} data */
  async finish(data) {
    this.stream = null;
    this.element.dataset.state = "done";
    this.element.removeAttribute("aria-busy");
    this.part("[data-progress]").hidden = true;
    this.part("[data-tokens]").hidden = true;
    this.part("[data-title]").textContent = data.title;
    this.part("[data-score]").dataset.label = data.title;
    this.part("[data-abc]").textContent = data.abc;
    const drawn = this.player.setAbc(data.abc);
    this.actions.finish();
    this.actions.say(text("tune-written", { title: data.title, bars: data.measures.bars }));
    await Promise.all([drawn, this.loadDetails()]);
  }

  /** @param {string} sentence */
  fail(sentence) {
    this.stream = null;
    this.element.dataset.state = "failed";
    this.element.removeAttribute("aria-busy");
    this.part("[data-progress]").hidden = true;
    this.part("[data-tokens]").hidden = true;
    this.showSentence(sentence || text("tune-failed"));
  }

  /** @param {boolean} isWaiting */
  showWaiting(isWaiting) {
    this.showSentence(isWaiting ? text("tune-waits") : "");
  }

  /** @param {string} sentence */
  showSentence(sentence) {
    const problem = this.part("[data-problem]");
    problem.textContent = sentence;
    problem.hidden = sentence === "";
  }

  /** What stands below the score comes from the server, as on a page that is loaded anew. */
  async loadDetails() {
    const fresh = await fetchCard(this.code);
    if (!fresh) return;
    for (const place of ["[data-details]", "[data-summary]"]) {
      this.part(place).replaceChildren(.../** @type {Element} */ (fresh.querySelector(place)).childNodes);
    }
    this.element.dataset.values = fresh.dataset.values;
    this.connectDetails();
    this.markChanged();
  }

  /** The bars that are not as in the tune that it was made from. */
  markChanged() {
    const { score } = this.player;
    const changed = /** @type {HTMLElement | null} */ (this.element.querySelector("[data-changed]"));
    score.dim("is-marked");
    for (const mark of score.marks) {
      if (!changed?.dataset.changed?.split(" ").includes(String(mark.bar + 1))) continue;
      for (const part of mark.elements) part.classList.add("is-marked");
    }
  }

  connectDetails() {
    const { element, actions } = this;
    const copy = /** @type {HTMLButtonElement | null} */ (element.querySelector("[data-copy]"));
    if (copy) {
      copy.hidden = false;
      copy.addEventListener("click", () => void this.copy(copy));
    }
    this.onForm("[data-again]", async (form) => void (await actions.again(form, this)));
    this.onForm("[data-edit-form]", async (form) => {
      const { ok, data } = await actions.edit(form, this);
      this.showAt("[data-edit-problem]", ok ? "" : data.problem);
    });
    this.onForm("[data-archive-form]", async (form) => {
      const { ok, data } = await send(`/c/${this.code}/archive`, "POST", form);
      if (ok) return void (await this.loadDetails());
      this.showAt("[data-archive-problem]", data.problem, data.address);
    });
    element.querySelector("[data-change]")?.addEventListener("click", (event) => {
      event.preventDefault();
      actions.change(this);
    });
  }

  /**
   * @param {string} selector
   * @param {(form: FormData) => Promise<void>} action
   */
  onForm(selector, action) {
    this.element.querySelector(selector)?.addEventListener("submit", (event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.target);
      const submitter = /** @type {SubmitEvent} */ (event).submitter;
      void action(new FormData(form, submitter));
    });
  }

  /** @param {{first: number | null, last: number | null}} bars */
  select({ first, last }) {
    const field = /** @type {HTMLInputElement | null} */ (this.element.querySelector("[data-bars]"));
    if (!field) return;
    const edit = /** @type {HTMLDetailsElement} */ (this.part("[data-edit]"));
    if (first === null || last === null) {
      field.value = "";
      return;
    }
    field.value = first === last ? String(first + 1) : `${first + 1}–${last + 1}`;
    edit.open = true;
  }

  /** @param {HTMLButtonElement} button */
  async copy(button) {
    let said = "copied";
    try {
      await navigator.clipboard.writeText(this.part("[data-abc]").textContent ?? "");
    } catch {
      said = "not-copied";
    }
    this.actions.say(text(said));
    const label = button.dataset.label ?? button.textContent ?? "";
    button.dataset.label = label;
    button.textContent = text(said);
    window.setTimeout(() => (button.textContent = label), 2000);
  }

  /**
   * @param {string} selector
   * @param {string} sentence
   * @param {string} [address] of what it speaks of
   */
  showAt(selector, sentence, address) {
    const place = this.part(selector);
    place.hidden = sentence === "";
    place.textContent = sentence;
    if (address) {
      const link = document.createElement("a");
      link.href = address;
      link.textContent = sentence;
      place.replaceChildren(link);
    }
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  part(selector) {
    return /** @type {HTMLElement} */ (this.element.querySelector(selector));
  }
}
