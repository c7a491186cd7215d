// Units that are active over a span, and other places of the data where they are (Strobelt et al. 2018, LSTMVis).
const MATCHES = 8, AROUND = 6;

// How many thresholds each unit reaches at each step: rows of units, which are stored unit after unit.
const reachedOnce = new WeakMap();
function reached(packed) {
  if (!reachedOnce.has(packed)) {
    const [rows, width] = packed.shape, v = new Uint8Array(rows * width);
    for (let u = 0; u < width; u++) for (let t = 0; t < rows; t++) v[t * width + u] = packed.bytes[u * rows + t];
    reachedOnce.set(packed, { v, width });
  }
  return reachedOnce.get(packed);
}

// The units, as columns, that reach a level at every step of a span.
function activeColumns({ v, width }, start, stop, level) {
  return Array.from({ length: width }, (_, u) => u).filter((u) => {
    for (let t = start; t < stop; t++) if (v[t * width + u] < level) return false;
    return true;
  });
}

// Spans of `length` steps where most of these units are active throughout; of equal ones first those with fewer other active units.
// The rows of sequences of `lengths` follow one another. The rank, and the order of ties, are those of sluice.insight.find_matches.
function findMatches({ v, width }, lengths, columns, length, level, count, skip = () => false) {
  const wanted = new Uint8Array(width), found = [];
  columns.forEach((u) => { wanted[u] = 1; });
  let first = 0;
  lengths.forEach((steps, sequence) => {
    const run = new Uint32Array(width); // for how many steps, backwards from here, a unit has been active
    for (let t = 0; t < steps; t++) {
      let units = 0, others = 0;
      for (let u = 0; u < width; u++) {
        run[u] = v[(first + t) * width + u] >= level ? run[u] + 1 : 0;
        if (run[u] >= length) wanted[u] ? units++ : others++;
      }
      const start = t + 1 - length;
      if (units && start >= 0) found.push({ sequence, start, stop: t + 1, units, rank: units * (width + 1) - others });
    }
    first += steps;
  });
  found.sort((a, b) => b.rank - a.rank || a.start - b.start || a.sequence - b.sequence);
  const kept = [];
  for (const one of found) {
    if (kept.length === count) break;
    if (!skip(one) && !kept.some((other) => other.sequence === one.sequence && other.start < one.stop && one.start < other.stop)) kept.push(one);
  }
  return kept;
}

function mountMatches(root, data, state) {
  const host = part(root, "span"), slider = part(root, "threshold"), { survey } = data, { thresholds } = survey;
  part(root, "s-spans").hidden = !data.places.some((place) => place.levels);
  slider.max = thresholds.length - 1;
  const shownLevel = () => state.threshold ?? survey.usual;
  slider.addEventListener("input", () => state.choose({ threshold: +slider.value }));
  part(root, "clear").addEventListener("click", () => state.choose({ span: null }));

  // The span chosen by hand, or the word, bar or other part around the selected step.
  function currentSpan(axis) {
    if (state.span?.axis === axis) return { start: state.span.start, stop: state.span.stop, chosen: true };
    const step = state.stepOf(axis), edges = survey.edges[axis], k = edges.findLastIndex((edge) => edge <= step);
    return { start: edges[k], stop: edges[k + 1] ?? data.axes[axis].length, chosen: false };
  }

  function describeMatch(match, axis, gap, count) {
    const { name, lengths, tokens } = survey.axes[axis], read = tokens[match.sequence] ?? [], text = (from, to) => read.slice(from, to).map(shown).join(gap);
    const shownHere = match.sequence === survey.sequence, time = data.axes[axis], step = match.start - time.first;
    const where = ` ${match.units} of ${count} active · ${survey.names[match.sequence]}, step ${match.start}`;
    const inSight = shownHere && step >= 0 && step < time.length;
    return el("li", { class: "match" }, el("code", {}, text(Math.max(0, match.start - AROUND), match.start), gap, el("mark", {}, text(match.start, match.stop) || `steps ${match.start} to ${match.stop - 1} ${name}`), gap, text(match.stop, Math.min(lengths[match.sequence], match.stop + AROUND))),
      el("span", { class: "quiet" }, where), ...(inSight ? [" ", el("button", { type: "button", onclick: () => state.choose({ axis, step, span: null }) }, "Go there")] : []));
  }

  state.on(["step", "place", "unit", "span", "threshold"], () => {
    const { place } = state, axis = place.axis, time = data.axes[axis], gap = areLetters(time) ? "" : " ", level = shownLevel();
    slider.value = level;
    const words = `${thresholds[level].toFixed(2)} standard deviations ${thresholds[level] < 0 ? "(below the mean)" : "above the mean"}`;
    slider.setAttribute("aria-valuetext", words);
    part(root, "threshold-here").textContent = words;
    const { start, stop, chosen } = currentSpan(axis);
    part(root, "clear").hidden = !chosen;
    if (!place.levels) { host.replaceChildren(el("p", { class: "quiet" }, "There are no states of other data to compare with.")); return; }
    const columns = activeColumns(reached(place.levels.shown), start, stop, level + 1), units = columns.map((u) => place.units[u]);
    const read = Array.from({ length: Math.min(40, stop - start) }, (_, k) => labelOf(time, start + k)).join(gap);
    const kept = place.units.length < place.width ? ` of the ${place.units.length} units stored` : "";
    const head = el("p", {}, `${chosen ? "Chosen span" : "The part around the selected step"}: steps ${time.first + start} to ${time.first + stop - 1}, `, el("code", {}, read + (stop - start > 40 ? "…" : "")), ": ",
      units.length ? `${counted(units.length, "unit")}${kept} active throughout` : `no unit${kept} is active throughout; lower the threshold or choose a shorter span`);
    const buttons = el("p", { class: "units" }, ...units.slice(0, 24).map((unit) => unitButton(state, place, unit, unit)), units.length > 24 ? ` and ${units.length - 24} more` : "");
    const own = (match) => match.sequence === survey.sequence && match.start < time.first + stop && time.first + start < match.stop;
    const matches = units.length ? findMatches(reached(place.levels.survey), survey.axes[axis].lengths, columns, stop - start, level + 1, MATCHES, own) : [];
    const list = el("ol", { class: "matches" }, ...matches.map((match) => describeMatch(match, axis, gap, units.length)));
    host.replaceChildren(head, buttons, matches.length ? list : units.length ? el("p", { class: "quiet" }, "Nowhere else in the data read are any of these units active for as long.") : "");
  });
}
