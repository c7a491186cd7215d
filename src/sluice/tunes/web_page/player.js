/** Plays a drawn tune: the notes of `sounds`, MP3 in base64 by MIDI number, in Web Audio. */
class Player {
  constructor(sounds, onEnd) {
    Object.assign(this, { sounds, onEnd, buffers: new Map(), context: null, timing: null });
    this.known = Object.keys(sounds).map(Number);
  }

  get isPlaying() {
    return this.timing !== null;
  }

  async decode(midi) {
    if (this.buffers.has(midi)) return;
    const bytes = Uint8Array.from(atob(this.sounds[midi]), (letter) => letter.charCodeAt(0));
    this.buffers.set(midi, await this.context.decodeAudioData(bytes.buffer));
  }

  findNearest(pitch) {
    return this.known.reduce((a, b) => (Math.abs(b - pitch) < Math.abs(a - pitch) ? b : a));
  }

  /** `tune` is what abcjs has drawn. */
  async play(tune) {
    this.stop();
    this.context ??= new AudioContext();
    this.timing = new ABCJS.TimingCallbacks(tune, { eventCallback: (event) => this.show(event) });
    const timing = this.timing, audio = tune.setUpAudio();
    const notes = audio.tracks.flat().filter((event) => event.cmd === "note" && event.duration > 0);
    await Promise.all([...new Set(notes.map((note) => this.findNearest(note.pitch)))].map((midi) => this.decode(midi)));
    await this.context.resume();
    if (this.timing !== timing) return;
    const perWhole = tune.millisecondsPerMeasure() / 1000 / tune.getBarLength();
    this.output = new GainNode(this.context, { gain: 0.6 });
    this.output.connect(this.context.destination);
    const begin = this.context.currentTime + 0.08;
    for (const note of notes) this.ring(note, begin + note.start * perWhole, note.duration * perWhole);
    timing.start();
  }

  ring(note, start, seconds) {
    const midi = this.findNearest(note.pitch), end = start + seconds * 0.97;
    const source = new AudioBufferSourceNode(this.context, {
      buffer: this.buffers.get(midi), playbackRate: 2 ** ((note.pitch - midi) / 12),
    });
    const gain = new GainNode(this.context);
    gain.gain.setValueAtTime(1, Math.max(start, end - 0.04));
    gain.gain.linearRampToValueAtTime(0, end);
    source.connect(gain).connect(this.output);
    source.start(start);
    source.stop(end + 0.01);
  }

  show(event) {
    this.dim();
    if (!event) return this.stop();
    for (const part of event.elements?.flat() ?? []) part.classList.add("is-sounding");
    return undefined;
  }

  dim() {
    for (const part of document.querySelectorAll(".is-sounding")) part.classList.remove("is-sounding");
  }

  stop() {
    if (!this.timing) return;
    this.timing.stop();
    this.timing = null;
    this.output?.disconnect();
    this.dim();
    this.onEnd();
  }
}
