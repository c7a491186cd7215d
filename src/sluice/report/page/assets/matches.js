// Units that are active over a span, and other places of the data where they are.
function mountMatches(root, data, state) {
  const host = part(root, "span");
  part(root, "s-spans").hidden = !data.spans.length;
  state.on(["step", "place", "unit"], () => {
    const { place, step } = state, time = data.axes[place.axis], letters = areLetters(time), gap = letters ? "" : " ";
    const joined = (tokens) => tokens.map(shown).join(gap);
    const found = data.spans.find((span) => span.place === place.name && span.start <= step && step < span.stop);
    if (!found) { host.replaceChildren(el("p", { class: "quiet" }, "No span at this step: only the first 60 spans are analysed.")); return; }
    const tokens = Array.from({ length: found.stop - found.start }, (_, k) => labelOf(time, found.start + k));
    const head = el("p", {}, `Steps ${time.first + found.start} to ${time.first + found.stop - 1}, `, el("code", {}, tokens.join(gap)), ": ",
      found.units.length ? `${counted(found.units.length, "unit")} active throughout` : "no unit is active throughout");
    const buttons = el("p", { class: "units" }, ...found.units.slice(0, 24).map((unit) => unitButton(state, place, unit, unit)), found.units.length > 24 ? ` and ${found.units.length - 24} more` : "");
    const places = found.matches.map((match) => el("div", { class: "match" }, el("code", {}, joined(match.before), gap, el("mark", {}, joined(match.tokens)), gap, joined(match.after)),
      el("span", { class: "quiet" }, ` ${match.units} of ${found.units.length} active · ${match.name}, step ${match.step}`)));
    host.replaceChildren(head, buttons, ...places);
  });
}
