// A tune: its score, or a piano roll of it, and its sound; the tokens with their colours stand below.
function mountTune(root, data, state) {
  const { view } = data, axis = data.outputAxis, { length } = data.axes[axis];
  const notes = view.notes.map(([token, stop, start, seconds, pitch]) => ({ token, stop, start, length: seconds, pitch }));
  const inside = ({ token }) => token >= 0 && token < length;
  // The note that a step belongs to: the last one that has begun to be spelt.
  const noteAt = (step) => notes.findLast((note) => note.token <= step) ?? null;
  const stepAt = (seconds) => { const note = notes.filter(inside).findLast(({ start }) => start <= seconds + 1e-6); return note ? note.token : null; };
  const secondsAt = (step) => (notes.find((note) => note.stop > step) ?? notes.at(-1)).start;
  const said = el("p", { class: "labels-said" });
  const words = () => {
    const step = state.stepOf(axis), here = notes.filter((note) => note.token <= step && step < note.stop);
    return `${stepName(data, axis, step)}: ` + (here.length ? `${here.map(({ pitch }) => pitchName(pitch)).join(", ")}, from ${here[0].start.toFixed(2)} s for ${here[0].length.toFixed(2)} s` : "no note");
  };
  root.append(playerBar(data, state, { "the tune": notes }, stepAt, secondsAt), view.score ? drawScore(data, state, words) : drawTuneRoll(data, state, notes, words), said);
  if (view.remark) root.append(el("p", { class: "note" }, view.remark));
  root.append(el("p", { class: "note" }, "The tune is written and played on the root C, as the model reads it, without its repeats. Choose a note, or a token below."));
  state.on(["step"], () => { said.textContent = words(); });
}

// Notes by time and pitch, where there is no score.
function drawTuneRoll(data, state, notes, words) {
  const { view } = data, axis = data.outputAxis, pitches = notes.map(({ pitch }) => pitch), low = Math.min(...pitches) - 1, high = Math.max(...pitches) + 1;
  const tall = 11, height = (high - low + 1) * tall, end = Math.max(...notes.map(({ start, length }) => start + length)), wide = Math.max(300, 56 * end), left = 40;
  const x = (seconds) => left + (seconds / end) * (wide - left - 4), y = (pitch) => (high - pitch) * tall;
  const svg = el("svg", { width: wide, height, viewBox: `0 0 ${wide} ${height}`, role: "img" });
  for (let pitch = low; pitch <= high; pitch++) {
    if (isBlack(pitch)) svg.append(el("rect", { class: "roll-black", x: left, width: wide - left, y: y(pitch), height: tall }));
    if ([0, 4, 7].includes(pitch % 12)) svg.append(el("text", { x: left - 6, y: y(pitch) + tall - 1, "text-anchor": "end" }, pitchName(pitch)));
  }
  for (const bar of view.bars) svg.append(el("line", { class: "panel-grid", x1: x(bar), x2: x(bar), y1: 0, y2: height }));
  const drawn = notes.map((note) => ({ note, mark: svg.appendChild(el("rect", { class: "roll-note tunes-block", x: x(note.start) + 0.8, width: Math.max(2, x(note.start + note.length) - x(note.start) - 1.6), y: y(note.pitch) + 0.8, height: tall - 1.6, rx: 2, onclick: () => state.choose({ axis, step: note.token }) })) }));
  const host = el("div", { class: "panel tunes-roll", tabindex: 0, role: "group", "aria-label": "Piano roll of the tune" }, svg);
  state.on(["step"], () => {
    const step = state.stepOf(axis);
    svg.setAttribute("aria-label", `Piano roll of the tune. ${words()}`);
    for (const { note, mark } of drawn) {
      const now = note.token <= step && step < note.stop;
      mark.classList.toggle("tunes-now", now);
      if (now) { const at = x(note.start); if (at < host.scrollLeft + left || at > host.scrollLeft + host.clientWidth - 60) host.scrollLeft = at - host.clientWidth / 3; }
    }
  });
  return host;
}

VIEWS.tunes = { title: "Score", mount: mountTune };
