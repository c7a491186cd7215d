// Controls, themes, and the first drawing.
const dark = matchMedia("(prefers-color-scheme: dark)");
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
}
setTheme(dark.matches ? "dark" : "light");
const redraw = () => { colourText(); drawHeat(); };
dark.addEventListener("change", () => { setTheme(dark.matches ? "dark" : "light"); redraw(); });
byId("theme").addEventListener("click", () => { setTheme(theme() === "dark" ? "light" : "dark"); redraw(); });
let themeBeforePrint;
addEventListener("beforeprint", () => { themeBeforePrint = theme(); setTheme("light"); redraw(); });
addEventListener("afterprint", () => { setTheme(themeBeforePrint); redraw(); });

const slider = byId("slider");
slider.max = STEPS - 1;
slider.addEventListener("input", () => choose({ step: +slider.value }));
byId("previous").addEventListener("click", () => choose({ step: state.step - 1 }));
byId("next").addEventListener("click", () => choose({ step: state.step + 1 }));
let playing;
byId("play").addEventListener("click", () => {
  if (playing) { clearInterval(playing); playing = undefined; }
  else playing = setInterval(() => choose({ step: (state.step + 1) % STEPS }), 250);
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", Boolean(playing));
});
document.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
  if (!by || event.altKey || event.ctrlKey || event.metaKey || /SELECT|INPUT/.test(event.target.tagName)) return;
  if (Math.abs(by) > 1 && !event.target.closest(".plane")) return;
  event.preventDefault();
  choose({ step: state.step + by });
});

byId("place").append(...DATA.places.map((place, k) => el("option", { value: k }, place.name)));
byId("place").addEventListener("change", (event) => choose({ place: DATA.places[+event.target.value] }));
byId("unit").addEventListener("change", (event) => choose({ unit: +event.target.value }));
byId("colour").addEventListener("change", (event) => choose({ colour: event.target.value }));
byId("of").addEventListener("change", (event) => choose({ of: event.target.value }));
byId("order").addEventListener("change", (event) => choose({ order: event.target.value }));

function showChoice() {
  slider.value = state.step;
  slider.setAttribute("aria-valuetext", `step ${DATA.first + state.step}, ${shown(DATA.tokens[state.step])}`);
  byId("here").textContent = `step ${DATA.first + state.step} of ${DATA.first + STEPS - 1}:  ${shown(DATA.tokens[state.step])}`;
  byId("unit").value = state.unit;
  byId("of").value = state.of;
  byId("colour").value = state.colour;
}

on(["place"], () => {
  byId("place").value = DATA.places.indexOf(state.place);
  byId("unit").replaceChildren(...state.place.units.map((unit) => el("option", { value: unit }, unit)));
  colourChoices();
});
on(["step", "place", "unit", "of", "colour"], showChoice);
on(["place", "unit", "of", "colour"], colourText);
on(["step"], () => { if (state.colour === "influence") colourText(); moveText(); showPrediction(); });
on(["step", "place", "unit"], showValues);
on(["place", "unit"], drawTrace);
on(["place", "order"], drawHeat);
on(["step", "unit"], moveHeat);
on(["place"], () => { drawFlow(); drawMemory(); });
on(["step"], () => { moveFlow(); moveMemory(); });
on(["unit"], moveMemory);
on(["place", "unit"], drawSelectivity);
on(["step", "place", "unit"], drawSpan);

byId("meanloss").textContent = DATA.loss === null ? "" : number(DATA.loss);
byId("meanloss").parentElement.hidden = DATA.loss === null;
// At first, the unit with the highest correlation; without one, the most variable unit of the last layer.
const best = DATA.followed.filter((one) => one.units.length).sort((a, b) => Math.abs(b.r[0] ?? 0) - Math.abs(a.r[0] ?? 0))[0];
if (best) Object.assign(state, { place: placeOf(best.place), unit: best.units[0], of: "unit" });
else state.unit = mostVariableUnit(state.place);
writeText();
everything();
