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

function drawScore(data, state, words) {
  const { view } = data, axis = data.outputAxis, { length } = data.axes[axis];
  const host = el("div", { class: "tunes-score", tabindex: 0, role: "img" });
  host.innerHTML = view.score;
  for (const text of host.querySelectorAll("text")) if (text.textContent.trim() === "Untitled") text.remove();
  const signs = Object.entries(view.signs).map(([name, [first, stop]]) => ({ first, stop, sign: host.querySelector(`[id="${name}"]`) })).filter(({ sign }) => sign);
  // Two pages may stand beside each other: no identifier twice.
  for (const { sign, first } of signs) {
    sign.removeAttribute("id");
    if (first < 0 || first >= length) { sign.classList.add("tunes-beyond"); continue; }
    sign.classList.add("tunes-sign");
    sign.dataset.step = first;
  }
  // A note is small and full of gaps: the nearest sign is meant.
  host.addEventListener("click", (event) => {
    const away = ({ sign }) => { const { left, right, top, bottom } = sign.getBoundingClientRect(), dx = Math.max(left - event.clientX, 0, event.clientX - right), dy = Math.max(top - event.clientY, 0, event.clientY - bottom); return dx * dx + dy * dy; };
    const near = signs.filter(({ first }) => first >= 0 && first < length).map((one) => ({ one, far: away(one) })).sort((a, b) => a.far - b.far)[0];
    if (near && near.far < 400) state.choose({ axis, step: near.one.first });
  });
  const box = el("rect", { style: "fill:#ffd9a8;fill-opacity:.75;stroke:#b04600;stroke-width:24" }), svg = host.querySelector("svg");
  let isCut = false;
  // The picture is a page; its margins, and the room of a title that tokens do not have, are cut off.
  const cut = () => {
    const ground = svg.querySelector("rect");
    const back = svg.getScreenCTM().inverse(), corners = [...svg.querySelectorAll(".system, .pgHead text, .pgHead path, svg > g > path")].map((part) => part.getBoundingClientRect()).filter(({ width }) => width)
      .flatMap(({ left, right, top, bottom }) => [new DOMPoint(left, top), new DOMPoint(right, bottom)]).map((point) => point.matrixTransform(back));
    if (!corners.length) return;
    ground?.remove();
    isCut = true;
    // The picture within is as large as the one around it, unless its size is said.
    const whole = svg.viewBox.baseVal;
    for (const inner of svg.querySelectorAll("svg")) for (const side of ["width", "height"]) inner.setAttribute(side, whole[side]);
    const [left, right, top, bottom] = [Math.min(...corners.map(({ x }) => x)), Math.max(...corners.map(({ x }) => x)), Math.min(...corners.map(({ y }) => y)), Math.max(...corners.map(({ y }) => y))];
    const [x, y, width, height] = [left - 14, top - 12, right - left + 28, bottom - top + 26].map(Math.round);
    svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    svg.prepend(el("rect", { x, y, width, height, style: "fill:#fff;stroke:none" }));
  };
  const show = () => {
    const step = state.stepOf(axis), found = signs.find((one) => one.first <= step && step < one.stop);
    for (const { sign } of signs) sign.classList.toggle("tunes-now", sign === found?.sign);
    host.setAttribute("aria-label", `Score of the tune. ${words()}`);
    if (!isCut) cut();
    box.remove();
    if (!found) return;
    const area = found.sign.getBBox();
    Object.entries({ x: area.x - 90, y: area.y - 90, width: area.width + 180, height: area.height + 180, rx: 90 }).forEach(([name, v]) => box.setAttribute(name, v));
    found.sign.parentNode.insertBefore(box, found.sign);
    const at = found.sign.getBoundingClientRect(), frame = host.getBoundingClientRect();
    if (at.left < frame.left + 10 || at.right > frame.right - 10) host.scrollLeft += at.left - frame.left - frame.width / 3;
    if (at.top < frame.top || at.bottom > frame.bottom) host.scrollTop += at.top - frame.top - frame.height / 3;
  };
  state.on(["step"], show);
  return host;
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
