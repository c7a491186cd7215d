/**
 * The page of the form and its tunes. The address says which tunes stand there, so that the Back
 * button undoes what was composed, edited or removed, and a reload changes nothing.
 */

import { text } from "../texts.js";
import { WishForm } from "./form.js";
import { fetchCard, send, start } from "./requests.js";
import { TuneCard } from "./tune.js";

/** @typedef {import("./form.js").Values} Values */
/** @typedef {AsyncGenerator<import("./events.js").StreamEvent> | null} Events */

const MOST_TUNES = 8;
const MOST_TRIES = 5;
const PAUSE_WITHOUT_MODELS = 1500;

class ComposePage {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.list = /** @type {HTMLElement} */ (element.querySelector("[data-tunes]"));
    this.status = /** @type {HTMLElement} */ (element.querySelector("[data-status]"));
    this.form = new WishForm(
      /** @type {HTMLFormElement} */ (element.querySelector("[data-form]")),
      () => void this.compose(),
    );
    /** @type {Map<string, TuneCard>} all that were ever shown, by their codes */
    this.known = new Map();
    /** @type {TuneCard[]} */
    this.cards = [];
    for (const card of this.list.querySelectorAll("[data-tune]")) {
      this.cards.push(this.adopt(/** @type {HTMLElement} */ (card)));
    }
    window.addEventListener("popstate", () => void this.restore());
    const isFresh = element.dataset.arrival === "compose" && !this.cards.length;
    if (isFresh) void this.arrive();
    if (element.dataset.arrival === "wait") this.waitForModels();
  }

  /** A tune writes itself; where the visitor's other ones are not finished, a little later. */
  async arrive() {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { ok, seconds } = await this.compose({ isArrival: true });
      if (ok || !seconds) return;
      await new Promise((resolve) => window.setTimeout(resolve, seconds * 1000));
      if (this.cards.length) return;
    }
  }

  /** Loads the page anew as soon as something composes. */
  waitForModels() {
    const timer = window.setInterval(async () => {
      const answer = await fetch("/compose/models").catch(() => null);
      if (!answer?.ok || !(await answer.json()).count) return;
      window.clearInterval(timer);
      location.reload();
    }, PAUSE_WITHOUT_MODELS);
  }

  /** @param {{isArrival?: boolean}} [how] */
  async compose({ isArrival = false } = {}) {
    const values = this.form.read();
    const answer = await start("/compose", new FormData(this.form.form));
    if (!answer.ok) {
      this.form.showProblem(answer.data, !isArrival);
      return answer;
    }
    const { codes, seed } = answer.data;
    this.form.showProblem();
    this.form.setSeed(seed);
    this.show(codes, this.cards, { values: { ...values, seed }, events: answer.events, isArrival });
    return answer;
  }

  /**
   * New tunes, in front of others.
   *
   * @param {string[]} codes
   * @param {TuneCard[]} others
   * @param {{values?: Values, events?: Events, isArrival?: boolean}} [how] `events` of the first
   */
  show(codes, others, { values = {}, events = null, isArrival = false } = {}) {
    const cards = codes.map((code, place) => this.create(code, values, place ? null : events));
    this.place([...cards, ...others].slice(0, MOST_TUNES));
    this.writeAddress(isArrival);
    this.announceStart(cards[0], isArrival);
  }

  /**
   * @param {TuneCard} card
   * @param {boolean} isArrival
   */
  announceStart(card, isArrival) {
    this.say(text("tune-begins"));
    if (isArrival) return;
    const { top } = card.element.getBoundingClientRect();
    if (top < 0 || top > window.innerHeight * 0.7) card.element.scrollIntoView({ block: "start" });
  }

  /**
   * @param {string} code
   * @param {Values} values
   * @param {Events} events
   */
  create(code, values, events) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("tune-template"));
    const content = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    const element = /** @type {HTMLElement} */ (content.querySelector("[data-tune]"));
    element.dataset.code = code;
    element.dataset.values = JSON.stringify(values);
    return this.adopt(document.importNode(element, true), events);
  }

  /**
   * @param {HTMLElement} element
   * @param {Events} [events]
   */
  adopt(element, events = null) {
    const actions = {
      remove: (/** @type {TuneCard} */ one) => this.remove(one),
      again: (/** @type {FormData} */ form) => this.composeAgain(form),
      change: (/** @type {TuneCard} */ one) => this.change(one),
      edit: (/** @type {FormData} */ form, /** @type {TuneCard} */ one) => this.edit(form, one),
      finish: () => this.nameTab(),
      say: (/** @type {string} */ sentence) => this.say(sentence),
    };
    const card = new TuneCard(element, actions, events);
    this.known.set(card.code, card);
    return card;
  }

  /** @param {TuneCard[]} cards what is to stand there, in this order */
  place(cards) {
    for (const card of this.cards) {
      if (!cards.includes(card)) card.leave();
    }
    this.cards = cards;
    this.list.replaceChildren(...cards.map((card) => card.element));
    for (const card of cards) if (card.isUnfinished) card.listen();
    const empty = this.element.querySelector("[data-empty]");
    if (empty) /** @type {HTMLElement} */ (empty).hidden = cards.length > 0;
    this.nameTab();
  }

  /** The browser's tab names the first tune once it is written, as a page that is loaded anew. */
  nameTab() {
    const { tab = "", site = "" } = this.element.dataset;
    const [first] = this.cards;
    document.title = `${first?.state === "done" ? first.title : tab} – ${site}`;
  }

  /** @param {TuneCard} card */
  remove(card) {
    if (card.isUnfinished) void send(`/c/${card.code}`, "DELETE");
    const place = this.cards.indexOf(card);
    this.place(this.cards.filter((one) => one !== card));
    this.writeAddress();
    this.say(text("tune-removed", { title: card.title }));
    const next = this.cards[Math.min(place, this.cards.length - 1)];
    const goal = next?.element.querySelector("[data-remove]") ?? this.form.field("dance");
    /** @type {HTMLElement | null} */ (goal)?.focus({ preventScroll: Boolean(next) });
  }

  /** @param {FormData} form */
  async composeAgain(form) {
    const answer = await start("/compose", form);
    if (answer.ok) this.show(answer.data.codes, this.cards, { events: answer.events });
    else this.form.showProblem(answer.data, true);
    return answer;
  }

  /**
   * The wishes of a tune in the form, with its seed kept, so that one of them may be changed.
   *
   * @param {TuneCard} card
   */
  change(card) {
    this.form.fill({ ...card.values, keep_seed: true, count: "1" });
    this.form.form.scrollIntoView({ block: "start" });
    this.form.field("dance")?.focus({ preventScroll: true });
  }

  /**
   * @param {FormData} form
   * @param {TuneCard} card
   */
  async edit(form, card) {
    const answer = await start(`/c/${card.code}/edit`, form);
    if (answer.ok) {
      const others = this.cards.filter((one) => one !== card);
      this.show(answer.data.codes, [card, ...others], { values: card.values, events: answer.events });
    }
    return answer;
  }

  /** @param {boolean} [isReplaced] */
  writeAddress(isReplaced = false) {
    const [first, ...others] = this.cards.map((card) => card.code);
    const beside = others.length ? `?beside=${others.join(",")}` : "";
    // An address without tunes must not compose one by itself, so it says that none is wanted.
    const address = first ? `/c/${first}${beside}` : "/?none=1";
    if (isReplaced) history.replaceState({}, "", address);
    else history.pushState({}, "", address);
  }

  /** What the address says, after Back or Forward. */
  async restore() {
    const found = /^\/c\/([a-z2-7]{10})$/.exec(location.pathname);
    const beside = new URLSearchParams(location.search).get("beside") ?? "";
    const codes = found ? [found[1], ...beside.split(",").filter(Boolean)] : [];
    const cards = [];
    for (const code of codes) {
      const card = this.known.get(code) ?? (await this.fetch(code));
      if (card) cards.push(card);
    }
    this.place(cards);
    if (cards.length && Object.keys(cards[0].values).length) {
      this.form.fill({ ...cards[0].values, keep_seed: false, count: "1" });
    }
  }

  /** @param {string} code */
  async fetch(code) {
    const element = await fetchCard(code);
    return element && this.adopt(element);
  }

  /** @param {string} sentence to screen readers */
  say(sentence) {
    this.status.textContent = sentence;
  }
}

const element = document.querySelector("[data-compose]");
if (element) new ComposePage(/** @type {HTMLElement} */ (element));
