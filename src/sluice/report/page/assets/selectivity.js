// Units that follow a property of the data.
function unitButton(state, place, unit, label) {
  const chosen = state.place === place && state.unit === unit, kept = place.units.includes(unit);
  return el("button", { type: "button", class: chosen ? "now" : "", "data-unit": unit, "aria-pressed": String(chosen), onclick: () => state.choose({ place, unit, of: "unit", colour: place.state }),
    ...(kept ? {} : { disabled: "", title: "this unit is not stored in the page" }) }, label);
}

function mountSelectivity(root, data, state) {
  const placeOf = (name) => data.places.find((place) => place.name === name), several = data.places.length > 1;
  const strength = (one) => Math.abs(one.r[0] ?? 0), score = (one) => one.score === null ? "–" : one.score.toFixed(2) + (one.commonest === null || one.commonest === undefined ? "" : ` (majority class ${one.commonest.toFixed(2)})`);
  const found = (one) => (one.verdict ?? "found") === "found", cell = (text, name = "") => el("td", { class: name }, text), head = (text, name = "") => el("th", { class: name, scope: "col" }, text);
  part(root, "s-selectivity").hidden = !data.followed.length;
  state.on(["place", "unit"], () => {
    const sorted = [...data.followed].sort((a, b) => found(b) - found(a) || strength(b) - strength(a));
    const rows = sorted.map((one) => el("tr", {}, cell(one.name), ...(several ? [cell(one.place)] : []), el("td", { class: "units" },
      ...one.units.slice(0, 4).map((unit, k) => unitButton(state, placeOf(one.place), unit, `${unit}  r ${one.r[k].toFixed(2)}`))),
      cell(one.kind), cell(score(one), "n"), cell(one.control === null ? "–" : one.control.toFixed(2), "n"), ...(one.words ? [cell(one.words)] : [])));
    part(root, "followed").replaceChildren(el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Unit selectivity" }, el("table", {}, el("tr", {}, head("property"), ...(several ? [head("layer")] : []),
      head("units, highest |r| first"), head("probe"), head("score", "n"), head("control", "n"), ...(data.followed.some((one) => one.words) ? [head("what it shows")] : [])), ...rows)));
  });
}
