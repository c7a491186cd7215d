// Colour maps that are safe for colour-blind readers: cividis for unsigned values, blue to red for signed ones.
const STOPS = {
  sequential: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"],
  light: ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
  dark: ["#9ecbff", "#6fa8e8", "#4480c0", "#2a5585", "#1c3147", "#15171a", "#40261c", "#74392a", "#b0583f", "#e07f62", "#ffb199"],
};
const theme = () => document.documentElement.dataset.theme;
const hex = (text) => [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16));

function ramp(stops, part) {
  const place = within(part, 0, 1) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(place));
  const a = hex(stops[k]), b = hex(stops[k + 1]), x = place - k;
  return a.map((one, c) => Math.round(one + (b[c] - one) * x));
}

// From a range to a map: {from, to, of: value → rgb}. On a logarithmic scale the range is above 0, and 0 has the lowest colour.
function colours(low, high, log = false) {
  const signed = low < 0, end = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const from = signed ? -end : log ? low : 0, to = signed || log ? end : high <= 1 && high > 0.2 ? 1 : end;
  const stops = signed ? STOPS[theme()] : STOPS.sequential;
  const table = Array.from({ length: 256 }, (_, k) => ramp(stops, k / 255));
  const share = log ? (v) => (v > 0 ? Math.log(v / from) / (Math.log(to / from) || 1) : 0) : (v) => (v - from) / (to - from);
  return { from, to, log, of: (value) => table[within(Math.round(share(value) * 255), 0, 255) || 0] };
}

// The range of a scale, clipped to the 98th percentile of magnitudes where a few numbers are far out, and how many are beyond.
function extent(numbers) {
  let low = Infinity, high = -Infinity;
  for (const v of numbers) { if (v < low) low = v; if (v > high) high = v; }
  const sorted = Float64Array.from(numbers, Math.abs).sort(), end = sorted[Math.floor(0.98 * (sorted.length - 1))];
  if (!(Math.max(-low, high) > 2 * end && end > 0)) return { low, high, clipped: 0, least: low, most: high };
  const clipped = sorted.length - sorted.findLastIndex((v) => v <= end) - 1;
  return { low: Math.max(low, -end), high: Math.min(high, end), clipped, least: low, most: high };
}

const css = (rgb) => `rgb(${rgb.join(",")})`;
function readable(rgb) {
  const [r, g, b] = rgb.map((c) => { const x = c / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
  return (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) ** 2 > 1.05 * 0.05 ? "#000" : "#fff";
}

// The words for numbers that a colour scale cannot tell apart.
const clippedWords = ({ clipped, least, most }) =>
  clipped ? `${counted(clipped, "value")} beyond the scale, in its end colours: the range is ${number(least)} to ${number(most)}` : "";

function drawScale(host, map, label, range) {
  const canvas = el("canvas", { width: 128, height: 1, role: "img", "aria-label": `colour scale from ${number(map.from)} to ${number(map.to)}` });
  const pen = canvas.getContext("2d");
  for (let x = 0; x < 128; x++) {
    const at = map.log ? map.from * (map.to / map.from) ** (x / 127) : map.from + ((map.to - map.from) * x) / 127;
    pen.fillStyle = css(map.of(at));
    pen.fillRect(x, 0, 1, 1);
  }
  const beyond = range ? clippedWords(range) : "";
  host.replaceChildren(number(map.from), canvas, number(map.to), label ? ` ${label}` : "", ...(beyond ? [el("span", { class: "clipped" }, beyond)] : []));
}
