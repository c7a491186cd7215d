// Units that follow a property of the data.
function unitButton(state, place, unit, label) {
  const chosen = state.place === place && state.unit === unit, kept = place.units.includes(unit);
  return el("button", { type: "button", class: chosen ? "now" : "", "data-unit": unit, "aria-pressed": String(chosen), onclick: () => state.choose({ place, unit, of: "unit", colour: place.state }),
    ...(kept ? {} : { disabled: "", title: "this unit is not stored in the page" }) }, label);
}

function mountSelectivity(root, data, state) {
  const placeOf = (name) => data.places.find((place) => place.name === name), several = data.places.length > 1;
  const strength = (one) => Math.abs(one.r[0] ?? 0), found = (one) => one.verdict === "found", head = (text) => el("th", { scope: "col" }, text);
  const sorted = [...data.followed].sort((a, b) => found(b) - found(a) || strength(b) - strength(a));
  part(root, "s-selectivity").hidden = !sorted.length;
  state.on(["place", "unit"], () => {
    const rows = sorted.map((one) => el("tr", {}, el("td", {}, one.name), ...(several ? [el("td", {}, one.place)] : []), el("td", { class: "units" },
      ...one.units.slice(0, 4).map((unit, k) => unitButton(state, placeOf(one.place), unit, `${unit}  r ${one.r[k].toFixed(2)}`))), el("td", {}, one.words)));
    part(root, "followed").replaceChildren(el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": data.about ? `Unit selectivity of ${data.about.name}` : "Unit selectivity" }, el("table", {},
      el("tr", {}, head("property"), ...(several ? [head("layer")] : []), head("units, highest |r| first"), head("what a probe shows")), ...rows)));
  });
}
