/**
 * Which tokens may follow, so that what is drawn is a tune: bars add up in their meter, tuplets,
 * chords and ties are complete, each part has eight bars, perhaps after a pickup, and is repeated,
 * and the bars that a plan says recur. Times are whole numbers of ticks.
 */
class TuneGrammar {
  /** `wishes`: ids to choose from for the dance, the meters of each, and the modes. */
  constructor(table, wishes, plan) {
    Object.assign(this, { table, wishes });
    const letters = plan.replaceAll(" ", "");
    this.sources = Array.from(letters, (letter) => letters.indexOf(letter));
    this.head = { dance: null, meter: null, mode: null, isOpen: false };
    this.bars = []; // of each complete bar its tokens and how long it is
    this.pickup = 0;
    this.isPickupDue = false;
    this.hasNote = false;
    this.isDone = false;
    this.pitches = new Map(Object.entries(table.pitches).map(([id, midi]) => [Number(id), midi]));
    this.durations = new Map(Object.entries(table.durations).map(([id, n]) => [Number(id), n]));
    this.lengths = [...new Set([table.eighth, ...this.durations.values()])];
    const steps = this.lengths.map((ticks) => ticks / table.step), most = table.longestBar / table.step;
    this.fillable = [true]; // by steps: whether plain notes fill this time
    for (let n = 1; n <= most; n++) this.fillable[n] = steps.some((one) => this.fillable[n - one]);
    this.sums = [[0]]; // by the number of events: how many steps they may last as they are written
    for (let count = 1; count <= table.longestTuplet; count++) {
      const longer = this.sums.at(-1).flatMap((sum) => steps.map((one) => sum + one));
      this.sums.push([...new Set(longer)].filter((sum) => sum <= 2 * most));
    }
    this.beginBar();
  }

  fills(ticks) {
    return ticks >= 0 && ticks % this.table.step === 0 && this.fillable[ticks / this.table.step];
  }

  get full() {
    return this.table.meters[this.head.meter].ticks;
  }

  /** Where the bar that begins may end. */
  findGoals() {
    const place = this.bars.length % this.table.barsPerPart, { full } = this;
    if (this.isPickupDue) return [this.pickup];
    if (place === this.table.barsPerPart - 1) return [full - this.pickup];
    if (this.bars.length || this.pickup) return [full];
    const shorter = Array.from({ length: full / this.table.step }, (_, n) => n * this.table.step);
    return [full, ...shorter.filter((t) => t && 2 * t <= full && this.fills(t) && this.fills(full - t))];
  }

  beginBar() {
    Object.assign(this, { elapsed: 0, tuplet: null, event: null, tied: [], current: [], forced: [] });
    this.isBarEmpty = true;
    if (!this.head.isOpen) return;
    this.goals = this.findGoals();
    this.reached = new Map();
    const source = this.bars[this.sources[this.bars.length]];
    if (source && !this.isPickupDue && this.goals.includes(source.ticks)) {
      this.forced = [...source.tokens, this.findLines()[0]];
    }
  }

  /** The lines that may end this bar. */
  findLines() {
    const { barsPerPart, lines } = this.table, count = this.bars.length + 1;
    if (count === this.sources.length) return lines.close;
    if (count % barsPerPart === 0) return lines.between;
    return lines.plain[barsPerPart - (count % barsPerPart)];
  }

  /** Whether the bar can be completed from here. */
  reaches(elapsed, tuplet) {
    if (!tuplet) return this.goals.some((goal) => this.fills(goal - elapsed));
    const key = `${elapsed} ${tuplet}`;
    if (!this.reached.has(key)) {
      const [left, time, notes] = tuplet, unit = (this.table.step * time) / notes;
      const ends = this.sums[left].map((sum) => elapsed + sum * unit);
      this.reached.set(key, ends.some((end) => this.reaches(end, null)));
    }
    return this.reached.get(key);
  }

  /** What the next event may last as it is written, after which the bar can be completed. */
  findLengths(elapsed, tuplet) {
    return this.lengths.filter((ticks) => this.reaches(...addEvent(elapsed, tuplet, ticks)));
  }

  /** The ids that may come next. */
  findAllowed() {
    const { table, head, wishes } = this;
    if (this.isDone) return new Set([END]);
    if (this.forced.length) return new Set(this.forced.slice(0, 1));
    if (wishes.dances && head.dance === null) return new Set(wishes.dances);
    if (head.meter === null) return new Set(wishes.dances ? wishes.meters[head.dance] : wishes.meters);
    if (head.mode === null) return new Set(wishes.modes);
    if (!head.isOpen) return new Set(table.lines.open);
    if (!this.event) return this.findBetween(this);
    return this.event.inChord ? this.findInChord() : this.findInEvent();
  }

  findInChord() {
    const { pitches, event, tied, table } = this, held = event.pitches;
    const isKnown = (midi) => held.includes(midi);
    const isWanted = (midi) => (tied.length ? tied.includes(midi) : held.length < 4);
    const more = [...pitches].filter(([, midi]) => !isKnown(midi) && isWanted(midi));
    const isComplete = tied.length ? tied.every(isKnown) : held.length > 1;
    return new Set([...more.map(([id]) => id), ...(isComplete ? table.closeChord : [])]);
  }

  findInEvent() {
    const { event, table, durations } = this, found = new Set();
    const lengths = this.findLengths(this.elapsed, this.tuplet);
    if (!event.ticks && !event.isTied) {
      for (const [id, ticks] of durations) if (lengths.includes(ticks)) found.add(id);
    }
    if (!event.ticks && !lengths.includes(table.eighth)) return found;
    for (const id of this.findBetween(this.completeEvent())) found.add(id);
    if (event.pitches.length && !event.isTied) {
      const [elapsed, tuplet] = addEvent(this.elapsed, this.tuplet, event.ticks || table.eighth);
      const isEnd = !tuplet && this.goals.includes(elapsed);
      if (!isEnd && this.findLengths(elapsed, tuplet).length) for (const id of table.tie) found.add(id);
    }
    return found;
  }

  /** What may stand where no event is open. */
  findBetween({ elapsed, tuplet, tied, hasNote, isBarEmpty }) {
    const { table, pitches } = this, found = new Set();
    const add = (ids) => ids.forEach((id) => found.add(id));
    if (this.findLengths(elapsed, tuplet).length) {
      if (tied.length > 1) add(table.openChord);
      else if (tied.length) add([...pitches].filter(([, midi]) => midi === tied[0]).map(([id]) => id));
      else add([...pitches.keys(), ...(hasNote ? table.rest : []), ...table.openChord]);
    }
    if (!tuplet) {
      const tuplets = Object.entries(table.tuplets[this.head.meter]);
      add(tuplets.filter(([, one]) => this.reaches(elapsed, one)).map(([id]) => Number(id)));
      if (!isBarEmpty && !tied.length && this.goals.includes(elapsed)) add(this.findLines());
    }
    return found;
  }

  /** After the open event, which has all its tokens. */
  completeEvent() {
    const { event } = this;
    const [elapsed, tuplet] = addEvent(this.elapsed, this.tuplet, event.ticks || this.table.eighth);
    const hasNote = this.hasNote || event.pitches.length > 0;
    return { elapsed, tuplet, hasNote, event: null, isBarEmpty: false, tied: event.isTied ? event.pitches : [] };
  }

  /** After a token that was allowed. */
  advance(id) {
    const { head, table, wishes } = this;
    if (head.mode === null || !head.isOpen) {
      if (wishes.dances && head.dance === null) head.dance = id;
      else if (head.meter === null) head.meter = id;
      else if (head.mode === null) head.mode = id;
      else {
        head.isOpen = true;
        this.beginBar();
      }
      return;
    }
    if (this.forced.length) this.forced.shift();
    if (this.event && this.extendEvent(id)) {
      this.current.push(id);
      return;
    }
    if (this.event) Object.assign(this, this.completeEvent());
    if (table.allLines.includes(id)) return this.finishBar();
    this.current.push(id);
    if (id in table.tuplets[head.meter]) this.tuplet = table.tuplets[head.meter][id];
    else {
      const inChord = table.openChord.includes(id), midi = this.pitches.get(id);
      this.event = { pitches: midi === undefined ? [] : [midi], inChord, ticks: 0, isTied: false };
    }
  }

  /** Whether the token belongs to the open event. */
  extendEvent(id) {
    const { event, table } = this;
    if (event.inChord) {
      if (table.closeChord.includes(id)) event.inChord = false;
      else event.pitches.push(this.pitches.get(id));
    } else if (this.durations.has(id)) event.ticks = this.durations.get(id);
    else if (table.tie.includes(id)) event.isTied = true;
    else return false;
    return true;
  }

  finishBar() {
    if (this.isPickupDue) this.isPickupDue = false;
    else if (!this.bars.length && !this.pickup && this.elapsed < this.full) this.pickup = this.elapsed;
    else {
      this.bars.push({ tokens: this.current, ticks: this.elapsed });
      const isPartEnd = this.bars.length % this.table.barsPerPart === 0;
      this.isPickupDue = isPartEnd && this.pickup > 0;
    }
    this.isDone = this.bars.length === this.sources.length;
    if (!this.isDone) this.beginBar();
  }
}

/** The time and the tuplet after an event of so many ticks as written. */
function addEvent(elapsed, tuplet, ticks) {
  if (!tuplet) return [elapsed + ticks, null];
  const [left, time, notes] = tuplet;
  return [elapsed + (ticks * time) / notes, left > 1 ? [left - 1, time, notes] : null];
}
