// What was read, each token on the colour of a value.
const letters = DATA.isText && DATA.tokens.slice(1).every((token) => [...token].length === 1);
let pieces = [];

function writeText() {
  const host = byId("text");
  host.classList.toggle("spaced", !letters);
  DATA.tokens.forEach((token, t) => {
    const piece = el("span", { "data-step": t, title: `step ${DATA.first + t}` }, shown(token));
    host.append(piece);
    if (token.includes("\n") || (!letters && DATA.isText && token === "⟨start⟩")) host.append(el("br"));
    pieces.push(piece);
  });
  host.addEventListener("click", (event) => { const t = event.target.dataset?.step; if (t !== undefined) choose({ step: +t }); });
}

function colourChoices() {
  const select = byId("colour"), chosen = state.colour;
  const names = Object.entries(state.place.values).map(([name, v]) => [name, bare(v.symbol) === name ? name : `${name} ${bare(v.symbol)}`]);
  if (DATA.losses) names.push(["loss", "loss"]);
  if (DATA.influence) names.push(["influence", "what this prediction rests on"]);
  select.replaceChildren(...names.map(([value, said]) => el("option", { value }, said)));
  state.colour = names.some(([value]) => value === chosen) ? chosen : state.place.state;
  select.value = state.colour;
}

// The nearest prediction at or before the step whose influences are known.
function influenceRow() {
  const steps = DATA.influence.steps;
  let row = 0;
  while (row + 1 < steps.length && steps[row + 1] <= state.step) row++;
  return row;
}

const influences = DATA.influence && unpack(DATA.influence);
function told() {
  if (state.colour === "loss") return [DATA.losses, 0, Math.max(...DATA.losses)];
  if (state.colour === "influence") {
    const row = influenceRow();
    return [Array.from(influences.subarray(row * STEPS, (row + 1) * STEPS)), 0, 1];
  }
  const packed = state.place.values[state.colour];
  if (state.of === "mean") return [packed.mean, Math.min(...packed.mean), Math.max(...packed.mean)];
  const found = DATA.tokens.map((_, t) => valueAt(state.place, state.colour, state.unit, t) ?? 0);
  return [found, ...extent(found)];
}

function colourText() {
  const [numbers, low, high] = told(), map = colours(low, high);
  pieces.forEach((piece, t) => {
    const rgb = map.of(numbers[t]);
    piece.style.background = css(rgb);
    piece.style.color = readable(rgb);
    piece.title = `step ${DATA.first + t}: ${number(numbers[t])}`;
  });
  const whole = ["loss", "influence"].includes(state.colour);
  byId("of").disabled = whole;
  drawScale(byId("scale"), map, whole || state.of === "mean" ? "" : `unit ${state.unit}`);
  byId("note-text").textContent = NOTES[state.colour] ??
    "The colour of a token tells the value right after it was read. Choose a step by a click, the arrow keys or the slider.";
}

const NOTES = {
  loss: "Loss: −ln of the probability given to what really came next, in nats. 0 is certainty.",
  influence: "How much each token read so far moves the logit of what comes next: ‖∂ logit / ∂x_t‖, in parts of the largest (Madsen 2019, Distill). The colours follow the step chosen.",
};

function moveText() {
  byId("text").querySelector(".now")?.classList.remove("now");
  const piece = pieces[state.step], host = byId("text");
  piece.classList.add("now");
  const top = piece.offsetTop - host.clientHeight / 2;
  if (piece.offsetTop < host.scrollTop + 10 || piece.offsetTop > host.scrollTop + host.clientHeight - 30) host.scrollTop = top;
}
