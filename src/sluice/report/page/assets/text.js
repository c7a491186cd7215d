// The input tokens, each coloured by a value.
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
  if (DATA.influence) names.push(["influence", "influence on this prediction"]);
  select.replaceChildren(...names.map(([value, label]) => el("option", { value }, label)));
  state.colour = names.some(([value]) => value === chosen) ? chosen : state.place.state;
  select.value = state.colour;
}

// The latest prediction, up to the selected step, that has influences.
function influenceRow() {
  const steps = DATA.influence.steps;
  let row = 0;
  while (row + 1 < steps.length && steps[row + 1] <= state.step) row++;
  return row;
}

const influences = DATA.influence && unpack(DATA.influence);
function colourValues() {
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
  const [numbers, low, high] = colourValues(), map = colours(low, high);
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
    "The colour of a token shows the value right after that token was read. Select a step by a click, the arrow keys or the slider.";
}

const NOTES = {
  loss: "Loss: −ln of the probability of the actual next token, in nats; 0 means certainty.",
  influence: "How much each token read so far changes the logit of the next token: ‖∂ logit / ∂x_t‖, relative to the largest (Madsen 2019, Distill). The colours are those of the selected step.",
};

function moveText() {
  byId("text").querySelector(".now")?.classList.remove("now");
  const piece = pieces[state.step], host = byId("text");
  piece.classList.add("now");
  const top = piece.offsetTop - host.clientHeight / 2;
  if (piece.offsetTop < host.scrollTop + 10 || piece.offsetTop > host.scrollTop + host.clientHeight - 30) host.scrollTop = top;
}
