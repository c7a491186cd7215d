/** The controls of the glass box: slider, speed, layer, value and unit, and the keys. */

import { text } from "../texts.js";
import { format } from "./sketch.js";
import { nameValue, showSymbol } from "./words.js";

/** @typedef {import("./box.js").GlassBox} GlassBox */

const still = window.matchMedia("(prefers-reduced-motion: reduce)");

export class Controls {
  /** @param {GlassBox} box */
  constructor(box) {
    this.box = box;
    this.slider = this.find("step");
    this.slider.max = String(box.pack.steps - 1);
    this.slider.addEventListener("input", () => box.go(Number(this.slider.value)));
    this.find("back").addEventListener("click", () => box.go(box.step - 1));
    this.find("on").addEventListener("click", () => box.go(box.step + 1));
    this.find("run").addEventListener("click", () => box.run(!box.clock.isRunning));
    this.find("play").addEventListener("click", () => void box.player.toggle());
    this.find("speed").addEventListener("input", () => this.setSpeed());
    this.layers = this.find("layer");
    this.layers.replaceChildren(
      ...box.pack.layers.map((layer, place) => {
        const words = text("layer-option", { layer: place + 1, cell: layer.cell, width: layer.width });
        return new Option(words, String(place), place === box.place, place === box.place);
      }),
    );
    this.layers.addEventListener("change", () => box.chooseLayer(Number(this.layers.value)));
    this.values = this.find("value");
    this.values.addEventListener("change", () => box.chooseValue(this.values.value));
    this.units = this.find("unit");
    this.units.addEventListener("change", () => box.chooseUnit(Number(this.units.value)));
    document.addEventListener("keydown", (event) => this.handleKey(event), { capture: true });
    still.addEventListener("change", () => this.adaptMotion());
    this.setSpeed();
    this.adaptMotion();
  }

  /**
   * @param {string} name
   * @returns {any}
   */
  find(name) {
    return this.box.root.querySelector(`[data-box-control="${name}"]`);
  }

  /** With reduced motion nothing runs by itself: steps only. */
  adaptMotion() {
    if (still.matches) this.box.run(false);
    for (const element of this.box.root.querySelectorAll("[data-moves]")) {
      /** @type {HTMLElement} */ (element).hidden = still.matches;
    }
    this.box.part("still").hidden = !still.matches;
  }

  setSpeed() {
    const speed = Number(this.find("speed").value);
    this.box.clock.perSecond = speed;
    this.box.say("speed", text("speed", { speed }));
  }

  fillValues() {
    const { layer, value } = this.box;
    const options = layer.values.map(({ name, symbol }) => {
      const isChosen = name === value;
      return new Option(`${nameValue(name)} (${showSymbol(symbol)})`, name, isChosen, isChosen);
    });
    this.values.replaceChildren(...options);
    const left = layer.left_out.map(nameValue).join(", ");
    this.box.say("left-out", left ? text("left-out", { names: left }) : "");
  }

  fillUnits() {
    const { numbers, reasons, correlations } = this.box.layer.units;
    const groups = new Map();
    for (const [place, number] of numbers.entries()) {
      const reason = reasons[place];
      if (!groups.has(reason)) {
        const group = document.createElement("optgroup");
        group.label = text(`group-${reason}`);
        groups.set(reason, group);
      }
      const words = text("unit-option", { unit: number, value: format(Math.abs(correlations[place])) });
      groups.get(reason).append(new Option(words, String(place)));
    }
    this.units.replaceChildren(...groups.values());
  }

  /** @param {boolean} isRunning */
  showRunning(isRunning) {
    const button = this.find("run");
    button.setAttribute("aria-pressed", String(isRunning));
    this.box.say("run", text(isRunning ? "run-stop" : "run-start"));
  }

  /** @param {boolean} isPlaying */
  showPlaying(isPlaying) {
    this.find("play").setAttribute("aria-pressed", String(isPlaying));
    this.box.say("play", text(isPlaying ? "pause" : "play"));
  }

  /**
   * @param {number} step
   * @param {number} unit
   */
  place(step, unit) {
    if (this.slider.value !== String(step)) this.slider.value = String(step);
    const words = text("step-of", { step, steps: this.box.pack.steps - 1 });
    this.slider.setAttribute("aria-valuetext", words);
    this.box.say("place", words);
    this.units.value = String(unit);
  }

  /** @param {import("./colours.js").Scale} scale */
  showLegend(scale) {
    const stops = Array.from({ length: 13 }, (_, place) => scale.css(scale.low + (place / 12) * (scale.high - scale.low)));
    for (const bar of this.box.root.querySelectorAll("[data-legend]")) {
      /** @type {HTMLElement} */ (bar).style.background = `linear-gradient(to right, ${stops.join(",")})`;
    }
    this.box.say("low", format(scale.low));
    this.box.say("high", format(scale.high));
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    const target = /** @type {Element} */ (event.target);
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    if (!isPlain || document.querySelector("dialog[open]")) return;
    if (target.closest("input, select, textarea, .score, [data-scrolls]")) return;
    const { box } = this;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => box.go(box.step - 1),
      ArrowRight: () => box.go(box.step + 1),
      ArrowUp: () => box.chooseUnit(box.unit - 1),
      ArrowDown: () => box.chooseUnit(box.unit + 1),
      PageUp: () => box.goBar(-1),
      PageDown: () => box.goBar(1),
      Home: () => box.go(0),
      End: () => box.go(box.pack.steps - 1),
    };
    // Up, down and the page keys scroll the page, unless the heat map or a control has the focus.
    const isOwn = this.box.part("map").contains(target) || this.box.part("controls").contains(target);
    if (!isOwn && !event.key.startsWith("ArrowL") && !event.key.startsWith("ArrowR")) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
