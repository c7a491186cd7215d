/** What moves the playhead by itself: the sounding note, or a clock of so many tokens a second. */

/** @typedef {import("./pack.js").Pack} Pack */

export class StepClock {
  /** @param {{move: (steps: number) => void, isAtEnd: () => boolean, ended: () => void}} target */
  constructor(target) {
    this.target = target;
    this.perSecond = 6;
    this.isRunning = false;
    this.last = 0;
    this.rest = 0;
  }

  start() {
    this.isRunning = true;
    this.last = performance.now();
    this.rest = 0;
    requestAnimationFrame((now) => this.tick(now));
  }

  stop() {
    this.isRunning = false;
  }

  /** @param {number} now */
  tick(now) {
    if (!this.isRunning) return;
    this.rest += (Math.max(0, now - this.last) / 1000) * this.perSecond;
    this.last = now;
    const steps = Math.floor(this.rest);
    if (steps > 0) {
      this.rest -= steps;
      this.target.move(steps);
    }
    if (this.target.isAtEnd()) {
      this.stop();
      this.target.ended();
      return;
    }
    requestAnimationFrame((after) => this.tick(after));
  }
}

/**
 * Shows a note's tokens while it sounds: the first at once, the others within its length.
 */
export class NoteFollower {
  /**
   * @param {Pack} pack
   * @param {(step: number) => void} show
   */
  constructor(pack, show) {
    this.pack = pack;
    this.show = show;
    this.turn = 0;
  }

  /**
   * @param {number} note
   * @param {number} seconds
   */
  follow(note, seconds) {
    const steps = this.pack.stepsOf(note);
    if (!steps) return;
    const turn = ++this.turn;
    const start = performance.now();
    const count = steps.last - steps.first + 1;
    let shown = -1;
    const tick = (/** @type {number} */ now) => {
      if (turn !== this.turn) return;
      const share = seconds > 0 ? Math.max(0, now - start) / 1000 / seconds : 1;
      const place = Math.min(count - 1, Math.floor(share * count));
      if (place !== shown) this.show(steps.first + place);
      shown = place;
      if (place < count - 1) requestAnimationFrame(tick);
    };
    tick(start);
  }

  stop() {
    this.turn++;
  }
}
