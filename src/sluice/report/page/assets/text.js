// The input tokens, each coloured by a value.
const LONGEST_TEXT = 2000, LEAST_INFLUENCE = 0.001;
const NOTES = {
  loss: "Loss: −ln of the probability of the actual next token, in nats; 0 means certainty.",
  influence: "How much each token read so far changes the logit of the next token: ‖∂ logit / ∂x_t‖, relative to the largest (Madsen 2019, Distill), on a logarithmic scale. The colours are those of the selected step.",
};

// Whether every token is a single character, so that no gaps are needed between them.
const areLetters = (axis) => Boolean(axis.tokens) && axis.tokens.slice(1).every((token) => [...token].length === 1);

// The latest prediction, up to the selected step, that has influences.
function influenceRow(data, state) {
  const { steps } = data.influence, step = state.stepOf(data.outputAxis);
  let row = 0;
  while (row + 1 < steps.length && steps[row + 1] <= step) row++;
  return row;
}

const unpacked = new WeakMap();
const unpackOnce = (packed) => { if (!unpacked.has(packed)) unpacked.set(packed, unpack(packed)); return unpacked.get(packed); };

// The numbers of the chosen colour on the axis of the selected layer, their range, whether their scale is logarithmic, and words on what it cuts.
function colourValues(data, state) {
  const { length } = data.axes[state.axis];
  if (state.colour === "loss") return { v: data.losses, low: 0, high: data.losses.reduce((a, b) => Math.max(a, b), 0) };
  if (state.colour === "influence") {
    const row = influenceRow(data, state), v = unpackOnce(data.influence).subarray(row * length, (row + 1) * length);
    const cut = v.reduce((count, x) => count + (x > 0 && x < LEAST_INFLUENCE), 0);
    return { v, low: LEAST_INFLUENCE, high: 1, log: true, words: cut ? `${counted(cut, "token")} below ${LEAST_INFLUENCE} in the lowest colour` : "" };
  }
  const packed = state.place.values[state.colour];
  if (state.of === "mean") return { v: packed.mean, ...extent(packed.mean) };
  const v = unitOverTime(state.place, state.colour, state.unit) ?? new Float32Array(length);
  return { v, ...extent(v) };
}

function mountText(root, data, state) {
  const host = part(root, "text"), select = part(root, "colour"), of = part(root, "of"), scale = part(root, "scale"), note = part(root, "note-text");
  let pieces = [], first = 0, axis = state.axis;

  function colourChoices() {
    const chosen = state.colour, names = Object.entries(state.place.values).map(([name, v]) => [name, bare(v.symbol) === name ? name : `${name} ${bare(v.symbol)}`]);
    if (data.losses && state.axis === data.outputAxis) names.push(["loss", "loss"]);
    if (data.influence && data.influence.axis === state.axis) names.push(["influence", "influence on this prediction"]);
    select.replaceChildren(...names.map(([value, label]) => el("option", { value }, label)));
    if (!names.some(([value]) => value === chosen)) state.choose({ colour: state.place.state });
    select.value = state.colour;
  }

  function write() {
    axis = state.axis;
    const { from, to } = state.window(axis), step = within(state.step, from, to - 1), time = data.axes[axis], letters = areLetters(time);
    const stop = to - from > LONGEST_TEXT ? Math.min(to, Math.max(from, step - LONGEST_TEXT / 2) + LONGEST_TEXT) : to;
    first = Math.max(from, stop - LONGEST_TEXT);
    pieces = [];
    const all = [];
    for (let t = first; t < stop; t++) {
      const piece = el("span", { "data-step": t }, labelOf(time, t));
      pieces.push(piece);
      all.push(piece);
      if (String(time.tokens?.[t]).includes("\n") || (!letters && time.tokens?.[t] === "⟨start⟩")) all.push(el("br"));
    }
    host.replaceChildren(...all);
    host.classList.toggle("spaced", !letters);
    part(root, "cut").textContent = first > from || stop < to ? `The text shows steps ${time.first + first} to ${time.first + stop - 1}.` : "";
    colour();
    move();
  }

  function colour() {
    if (!pieces.length) return;
    if (state.axis !== axis) { write(); return; }
    if (state.colour !== "loss" && state.colour !== "influence" && !(state.colour in state.place.values)) return;
    const found = colourValues(data, state), map = colours(found.low, found.high, found.log);
    pieces.forEach((piece, k) => {
      const t = first + k, rgb = map.of(found.v[t]);
      piece.style.background = css(rgb);
      piece.style.color = readable(rgb);
      piece.title = `step ${data.axes[axis].first + t}: ${number(found.v[t])}`;
    });
    const whole = ["loss", "influence"].includes(state.colour);
    of.disabled = whole;
    drawScale(scale, map, whole || state.of === "mean" ? "" : `unit ${state.unit}`, found.clipped ? found : null);
    if (found.words) scale.append(el("span", { class: "clipped" }, found.words));
    note.textContent = NOTES[state.colour] ?? "The colour of a token shows the value right after that token was read. Select a step by a click, the arrow keys or the slider; drag, or hold Shift with the arrow keys, to select a span.";
    host.setAttribute("aria-label", `The input, coloured by ${whole ? state.colour : `${state.colour} of ${state.of === "mean" ? "all units, their mean" : `unit ${state.unit}`}`}: arrow keys select a step, Shift and an arrow key a span`);
  }

  function move() {
    if (state.axis !== axis || (state.step < first || state.step >= first + pieces.length)) {
      const { from, to } = state.window();
      if (state.axis !== axis || (state.step >= from && state.step < to)) { write(); return; }
    }
    host.querySelectorAll(".now, .span").forEach((piece) => piece.classList.remove("now", "span"));
    if (state.span?.axis === axis) for (let t = state.span.start; t < state.span.stop; t++) pieces[t - first]?.classList.add("span");
    const piece = pieces[state.step - first];
    if (!piece) return;
    piece.classList.add("now");
    const top = piece.offsetTop - host.clientHeight / 2;
    if (piece.offsetTop < host.scrollTop + 10 || piece.offsetTop > host.scrollTop + host.clientHeight - 30) host.scrollTop = top;
  }

  let anchor = null;
  const stepAt = (event) => { const found = document.elementFromPoint(event.clientX, event.clientY)?.dataset?.step; return found === undefined ? null : +found; };
  host.addEventListener("pointerdown", (event) => { if (!event.button) anchor = stepAt(event); });
  host.addEventListener("pointermove", (event) => {
    const t = anchor === null || !event.buttons ? null : stepAt(event);
    if (t !== null && (t !== anchor || state.span) && event.pointerType === "mouse") chooseSpan(state, axis, anchor, t);
  });
  addEventListener("pointerup", () => { anchor = null; });
  host.addEventListener("click", (event) => { const t = event.target.dataset?.step; if (t !== undefined && !(state.span && +t !== state.span.start && state.span.stop - state.span.start > 1 && +t === state.step)) state.choose({ step: +t, span: null }); });
  host.addEventListener("keydown", (event) => zoomKeys(state, axis, event));
  host.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(state, axis, 2 ** within(event.deltaY / 200, -2, 2), stepAt(event) ?? state.step);
  }, { passive: false });
  select.addEventListener("change", () => state.choose({ colour: select.value }));
  of.addEventListener("change", () => state.choose({ of: of.value }));
  state.on(["place"], colourChoices);
  state.on(["window"], write);
  state.on(["place", "unit", "of", "colour", "theme"], colour);
  state.on(["colour", "of"], () => { select.value = state.colour; of.value = state.of; });
  state.on(["step"], () => { if (state.colour === "influence") colour(); });
  state.on(["step", "span"], move);
}
