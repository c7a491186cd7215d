// Sound by oscillators. notes: [{start, length, pitch}] in seconds and MIDI numbers.
const AHEAD = 1, RELEASE = 0.08;

function createPlayer(onmove, onstop) {
  let context = null, out = null, timer = 0, frame = 0;
  const player = { playing: false };

  // A triangle wave with a soft second harmonic, and an envelope.
  function sound({ start, length, pitch }, at, speed) {
    const begin = at + start / speed, end = begin + Math.max(0.05, (0.94 * length) / speed), hertz = 440 * 2 ** ((pitch - 69) / 12);
    const envelope = context.createGain();
    envelope.gain.setValueAtTime(0, begin);
    envelope.gain.linearRampToValueAtTime(0.22, begin + 0.012);
    envelope.gain.exponentialRampToValueAtTime(0.1, Math.max(begin + 0.02, end));
    envelope.gain.linearRampToValueAtTime(0, end + RELEASE);
    envelope.connect(out);
    for (const [type, times, loudness] of [["triangle", 1, 1], ["sine", 2, 0.25]]) {
      const oscillator = context.createOscillator(), gain = context.createGain();
      oscillator.type = type;
      oscillator.frequency.value = hertz * times;
      gain.gain.value = loudness;
      oscillator.connect(gain).connect(envelope);
      oscillator.start(begin);
      oscillator.stop(end + RELEASE);
    }
  }

  player.play = (notes, from = 0, speed = 1) => {
    player.stop();
    context = new AudioContext();
    const compressor = context.createDynamicsCompressor();
    compressor.connect(context.destination);
    out = context.createGain();
    out.gain.value = 0.7;
    out.connect(compressor);
    player.playing = true;
    const sorted = notes.filter(({ start, length }) => start + length > from + 1e-6).sort((a, b) => a.start - b.start);
    const end = sorted.reduce((last, { start, length }) => Math.max(last, start + length), from);
    // Where there is no sound device the audio clock stands still: then the page's own clock leads.
    const audio = context.currentTime + 0.06, clock = performance.now() / 1000 + 0.06;
    const elapsed = () => (context.currentTime > audio - 0.06 ? context.currentTime - audio : performance.now() / 1000 - clock);
    let next = 0;
    const schedule = () => {
      while (next < sorted.length && sorted[next].start - from < (elapsed() + AHEAD) * speed) {
        const note = sorted[next++], cut = Math.max(0, from - note.start);
        sound({ ...note, start: note.start + cut - from, length: note.length - cut }, audio, speed);
      }
    };
    const move = () => {
      const now = from + elapsed() * speed;
      if (now >= end) { player.stop(); return; }
      if (now >= from) onmove(now);
      frame = requestAnimationFrame(move);
    };
    schedule();
    timer = setInterval(schedule, 250);
    frame = requestAnimationFrame(move);
  };
  player.stop = () => {
    if (!player.playing) return;
    player.playing = false;
    clearInterval(timer);
    cancelAnimationFrame(frame);
    context.close();
    onstop();
  };
  return player;
}

// Buttons to hear something: choices {name: notes}; stepAt(seconds) and secondsAt(step) tie it to the scrubber.
function playerBar(data, state, choices, stepAt, secondsAt) {
  const axis = data.outputAxis, names = Object.keys(choices);
  let moving = false;
  const put = (playing) => { button.textContent = playing ? "■ Stop" : "▶ Play the music"; button.setAttribute("aria-pressed", playing); };
  const player = createPlayer((seconds) => {
    const step = stepAt(seconds);
    if (step === null || step === state.stepOf(axis)) return;
    moving = true;
    state.choose({ axis, step });
    moving = false;
  }, () => put(false));
  const which = el("select", { "aria-label": "What to hear" }, ...names.map((name) => el("option", {}, name)));
  const speed = el("select", {}, ...[0.5, 0.75, 1, 1.5, 2].map((times) => el("option", { value: times }, `${100 * times} %`)));
  speed.value = 1;
  const start = (from) => { player.play(choices[which.value || names[0]], from, +speed.value); put(true); };
  const button = el("button", { type: "button", "data-part": "sound", onclick: () => {
    if (player.playing) { player.stop(); return; }
    start(state.stepOf(axis) >= data.axes[axis].length - 1 ? 0 : secondsAt(state.stepOf(axis)));
  } });
  put(false);
  for (const select of [which, speed]) select.addEventListener("change", () => { if (player.playing) start(secondsAt(state.stepOf(axis))); });
  state.on(["step"], () => { if (player.playing && !moving) start(secondsAt(state.stepOf(axis))); });
  return el("div", { class: "bar" }, button, ...(names.length > 1 ? [el("label", {}, "hear ", which)] : []), el("label", {}, "speed ", speed));
}

const PITCHES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const pitchName = (pitch) => PITCHES[pitch % 12] + (Math.floor(pitch / 12) - 1);
const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);
