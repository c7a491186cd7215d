/**
 * The events of a tune that is being composed. A connection that breaks is opened again, and goes on
 * after the last event that came.
 */

const KINDS = ["start", "tokens", "again", "progress", "done", "problem"];
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;

/**
 * @typedef {{kind: string, data: any}} ComposingEvent
 */

export class TuneStream {
  /**
   * @param {string} code
   * @param {(event: ComposingEvent) => void} onEvent
   * @param {(isWaiting: boolean) => void} onWaiting told while the studio does not answer
   * @param {AsyncGenerator<import("./events.js").StreamEvent> | null} [events] that come already
   */
  constructor(code, onEvent, onWaiting, events = null) {
    this.code = code;
    this.onEvent = onEvent;
    this.onWaiting = onWaiting;
    this.last = 0;
    this.pause = FIRST_PAUSE;
    this.timer = 0;
    /** @type {EventSource | null} */
    this.source = null;
    this.events = events;
    if (events) void this.read(events);
    else this.open();
  }

  /** @param {AsyncGenerator<import("./events.js").StreamEvent>} events */
  async read(events) {
    try {
      for await (const { kind, number, data } of events) {
        if (this.events !== events) return;
        this.receive(kind, number, data);
      }
    } catch {
      // What is missing comes below.
    }
    if (this.events !== events) return;
    this.events = null;
    this.open();
  }

  open() {
    const source = new EventSource(`/c/${this.code}/stream${this.last ? `?after=${this.last}` : ""}`);
    this.source = source;
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.receive(kind, Number(event.lastEventId), event.data));
    }
    source.addEventListener("open", () => this.onWaiting(false));
    source.addEventListener("error", () => {
      // The browser itself would repeat a refusal never, and a lost connection with the old address.
      if (this.source !== source) return;
      this.close();
      this.onWaiting(true);
      this.timer = window.setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    });
  }

  /**
   * @param {string} kind
   * @param {number} number
   * @param {string} data
   */
  receive(kind, number, data) {
    const isFinal = kind === "done" || kind === "problem";
    if (number <= this.last && !isFinal) return;
    this.last = Math.max(this.last, number);
    this.pause = FIRST_PAUSE;
    if (isFinal) this.close();
    this.onEvent({ kind, data: JSON.parse(data) });
  }

  close() {
    window.clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    this.events = null;
  }
}
