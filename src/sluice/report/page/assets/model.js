// Everything about one model.
function mountModel(root, data, state) {
  const place = part(root, "place"), unit = part(root, "unit");
  place.append(...data.places.map((one, k) => el("option", { value: k }, one.name)));
  place.addEventListener("change", () => state.choose({ place: data.places[+place.value] }));
  unit.addEventListener("change", () => state.choose({ unit: +unit.value }));
  state.on(["place"], () => {
    place.value = data.places.indexOf(state.place);
    unit.replaceChildren(...state.place.units.map((one) => el("option", { value: one }, one)));
  });
  state.on(["place", "unit"], () => { unit.value = state.unit; });

  if (data.about) {
    part(root, "about").hidden = false;
    part(root, "about-name").textContent = data.about.name;
    part(root, "about-facts").replaceChildren(...Object.entries(data.about.facts).map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
  }
  const view = VIEWS[data.view?.kind];
  part(root, "s-view").hidden = !view;
  if (view) {
    part(root, "view-title").textContent = view.title;
    view.mount(part(root, "view"), data, state);
  }
  const wanted = (which) => { const found = view?.[which] ?? true; return typeof found === "function" ? found(data) : found; };
  const text = wanted("text"), predictions = wanted("predictions");
  part(root, "s-text").hidden = !text && !predictions;
  part(root, "bar-text").hidden = part(root, "text").hidden = part(root, "note-text").hidden = !text;
  if (text) mountText(root, data, state);
  if (predictions) mountPrediction(root, data, state);
  else part(root, "prediction").hidden = true;
  mountUnit(root, data, state);
  mountHeat(root, data, state);
  mountFlow(root, data, state);
  mountItemised(root, data, state);
  mountMemory(root, data, state);
  mountSelectivity(root, data, state);
  mountMatches(root, data, state);
  followCharts(root, state);
}

// At first, the unit with the highest correlation; without one, the most variable unit of the last layer.
function chooseFirst(data, state) {
  const found = data.followed.filter((one) => (one.verdict ?? "found") === "found" && one.units.length).sort((a, b) => Math.abs(b.r[0]) - Math.abs(a.r[0]))[0];
  const place = found ? data.places.find((one) => one.name === found.place) : state.place;
  state.choose({ place, unit: found ? found.units[0] : mostVariableUnit(place), of: found ? "unit" : "mean", colour: place.state });
}
