// Selective units, and units that are active over a span.
function unitButton(place, unit, label) {
  const chosen = state.place === place && state.unit === unit;
  return el("button", { type: "button", class: chosen ? "now" : "", "data-unit": unit,
    onclick: () => choose({ place, unit, of: "unit", colour: place.state }), ...(place.units.includes(unit) ? {} : { disabled: "", title: "this unit is not stored in the page" }) }, label);
}

const placeOf = (name) => DATA.places.find((place) => place.name === name);

function drawSelectivity() {
  byId("s-cells").hidden = !DATA.followed.length;
  const several = DATA.places.length > 1;
  const rows = [...DATA.followed].sort((a, b) => Math.abs(b.r[0] ?? 0) - Math.abs(a.r[0] ?? 0)).map((one) => {
    return el("tr", {}, el("td", {}, one.name), ...(several ? [el("td", {}, one.place)] : []), el("td", { class: "units" },
      ...one.units.slice(0, 4).map((unit, k) => unitButton(placeOf(one.place), unit, `${unit}  r ${one.r[k].toFixed(2)}`))),
      el("td", {}, one.words));
  });
  byId("followed").replaceChildren(el("div", { class: "scroll" }, el("table", {}, el("tr", {}, el("th", {}, "property"), ...(several ? [el("th", {}, "layer")] : []),
    el("th", {}, "units, highest |r| first"), el("th", {}, "what a probe shows")), ...rows)));
}

const joined = (tokens) => tokens.map(shown).join(letters ? "" : " ");

function drawSpan() {
  const found = DATA.spans.find((span) => span.place === state.place.name && span.start <= state.step && state.step < span.stop);
  byId("s-spans").hidden = !DATA.spans.length;
  if (!found) { byId("span").replaceChildren(el("p", { class: "quiet" }, "No span at this step: only the first 60 spans are analysed.")); return; }
  const head = el("p", {}, `Steps ${DATA.first + found.start} to ${DATA.first + found.stop - 1}, `, el("code", {}, joined(DATA.tokens.slice(found.start, found.stop))), ": ",
    found.units.length ? `${found.units.length} unit${found.units.length > 1 ? "s" : ""} active throughout` : "no unit is active throughout");
  const buttons = el("p", { class: "units" }, ...found.units.slice(0, 24).map((unit) => unitButton(state.place, unit, unit)), found.units.length > 24 ? ` and ${found.units.length - 24} more` : "");
  const places = found.matches.map((match) => el("div", { class: "match" }, el("code", {}, joined(match.before), letters ? "" : " ", el("mark", {}, joined(match.tokens)), letters ? "" : " ", joined(match.after)),
    el("span", { class: "quiet" }, ` ${match.units} of ${found.units.length} active · ${match.name}, step ${match.step}`)));
  byId("span").replaceChildren(head, buttons, ...places);
}
