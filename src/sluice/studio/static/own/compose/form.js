/** The form: wishes, what is wrong with them beside each, and what the chosen model offers. */

import { send } from "./requests.js";

/** @typedef {Record<string, string | boolean>} Values by the names of the fields */

const PAUSE_BEFORE_CHECK = 500;

export class WishForm {
  /**
   * @param {HTMLFormElement} form
   * @param {() => void} onSubmit
   */
  constructor(form, onSubmit) {
    this.form = form;
    this.choices = JSON.parse(form.querySelector("[data-models]")?.textContent || "{}");
    this.initial = this.read();
    this.timer = 0;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
    this.field("model")?.addEventListener("change", () => this.offer());
    this.field("seed")?.addEventListener("input", () => {
      const keep = /** @type {HTMLInputElement} */ (this.field("keep_seed"));
      keep.checked = this.value("seed").trim() !== "";
    });
    for (const name of ["start", "dance", "key", "mode", "meter", "temperature"]) {
      this.field(name)?.addEventListener("input", () => this.checkSoon());
    }
    const reset = /** @type {HTMLButtonElement} */ (form.querySelector("[data-reset]"));
    reset.hidden = false;
    reset.addEventListener("click", () => this.clear());
  }

  /**
   * @param {string} name
   * @returns {HTMLInputElement | null}
   */
  field(name) {
    return this.form.querySelector(`[name="${name}"]`);
  }

  /** @param {string} name */
  value(name) {
    return this.field(name)?.value ?? "";
  }

  /** @returns {Values} */
  read() {
    /** @type {Values} */
    const values = {};
    for (const element of this.form.elements) {
      const field = /** @type {HTMLInputElement} */ (element);
      if (!field.name || ["csrf_token", "sent", "previous_seed"].includes(field.name)) continue;
      values[field.name] = field.type === "checkbox" ? field.checked : field.value;
    }
    return values;
  }

  /** @param {Values} values */
  fill(values) {
    if (typeof values.model === "string" && values.model in this.choices) {
      const model = this.field("model");
      if (model) model.value = values.model;
      this.offer();
    }
    for (const [name, value] of Object.entries(values)) {
      const field = this.field(name);
      if (!field || name === "model") continue;
      if (typeof value === "boolean") field.checked = value;
      else {
        if (field instanceof HTMLSelectElement) addOption(field, value, value);
        field.value = value;
      }
    }
    this.showProblem();
    this.setSeed(String(values.seed ?? ""));
    if (["start", "title"].some((name) => values[name]) || values.form === false || values.chords) {
      this.openMore();
    }
  }

  /** The seed that the tune was composed of, shown, so that it can be kept.
   *
   * @param {string} seed */
  setSeed(seed) {
    for (const name of ["seed", "previous_seed"]) {
      const field = this.field(name);
      if (field) field.value = seed;
    }
  }

  clear() {
    const empty = { dance: "", key: "", mode: "", meter: "", temperature: "0.9", seed: "", start: "", title: "", count: "1" };
    this.fill({ ...empty, keep_seed: false, form: true, chords: false });
    this.field("dance")?.focus();
  }

  openMore() {
    this.form.querySelector("[data-more]")?.setAttribute("open", "");
  }

  /** The dances, keys, modes and meters of the chosen model. */
  offer() {
    const choices = this.choices[this.value("model")] ?? {};
    for (const [name, offered] of Object.entries(choices)) {
      const select = /** @type {HTMLSelectElement | null} */ (/** @type {any} */ (this.field(name)));
      if (!select) continue;
      const chosen = select.value;
      select.replaceChildren(select.options[0]);
      for (const [value, shown] of /** @type {[string, string][]} */ (offered)) addOption(select, value, shown);
      select.value = offered.some((/** @type {string[]} */ one) => one[0] === chosen) ? chosen : "";
    }
  }

  /**
   * @param {{problem: string, field: string} | null} [refusal] none takes all back
   * @param {boolean} [isFocused] whether to go there
   */
  showProblem(refusal = null, isFocused = false) {
    for (const place of this.form.querySelectorAll("[data-problem-of]")) {
      const element = /** @type {HTMLElement} */ (place);
      element.hidden = true;
      element.textContent = "";
      this.field(element.dataset.problemOf || "-")?.removeAttribute("aria-invalid");
    }
    this.mark("", -1);
    if (!refusal) return;
    const find = (/** @type {string} */ name) =>
      /** @type {HTMLElement | null} */ (this.form.querySelector(`[data-problem-of="${CSS.escape(name)}"]`));
    const place = find(refusal.field) ?? find("");
    if (!place) return;
    place.textContent = refusal.problem;
    place.hidden = false;
    const field = this.field(refusal.field);
    if (!field) return;
    field.setAttribute("aria-invalid", "true");
    if (field.closest("[data-more]")) this.openMore();
    if (isFocused) field.focus();
    if (refusal.field === "start") this.mark(this.value("start"), findPlace(this.value("start"), refusal.problem));
  }

  /**
   * Shows the start once more, with the character that is not understood marked.
   *
   * @param {string} start
   * @param {number} place
   */
  mark(start, place) {
    const shown = /** @type {HTMLElement | null} */ (this.form.querySelector("[data-marked]"));
    if (!shown) return;
    shown.hidden = place < 0;
    if (place < 0) return shown.replaceChildren();
    const bad = document.createElement("mark");
    bad.textContent = start[place] === "\n" || start[place] === undefined ? "⏎" : start[place];
    shown.replaceChildren(start.slice(0, place), bad, start.slice(place + 1));
  }

  checkSoon() {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.check(), PAUSE_BEFORE_CHECK);
  }

  /** Asks, while one types, whether it is understood. */
  async check() {
    const form = new FormData(this.form);
    const sent = JSON.stringify(this.read());
    const { ok, data } = await send("/compose/check", "POST", form);
    if (JSON.stringify(this.read()) !== sent) return;
    this.showProblem(ok ? null : data);
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} value
 * @param {string} shown
 */
function addOption(select, value, shown) {
  if ([...select.options].some((option) => option.value === value)) return;
  select.append(new Option(shown, value));
}

/**
 * @param {string} start
 * @param {string} sentence such as "… at character 4 of line 2 …"
 * @returns {number} the place that it names, else -1
 */
function findPlace(start, sentence) {
  const found = /at character (\d+)(?: of line (\d+))?/.exec(sentence);
  if (!found) return -1;
  // The server reads the start without white space around it.
  const leading = start.length - start.trimStart().length;
  const lines = start.trimStart().split("\n");
  const line = Number(found[2] ?? 1) - 1;
  const before = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
  return leading + before + Number(found[1]) - 1;
}
