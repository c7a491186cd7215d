// Colour maps that are safe for colour-blind readers: cividis for unsigned values, blue to red for signed ones.
const STOPS = {
  sequential: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"],
  light: ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
  dark: ["#9ecbff", "#6fa8e8", "#4480c0", "#2a5585", "#1c3147", "#15171a", "#40261c", "#74392a", "#b0583f", "#e07f62", "#ffb199"],
};
const theme = () => document.documentElement.dataset.theme;
const hex = (text) => [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16));

function ramp(stops, part) {
  const place = Math.max(0, Math.min(1, part)) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(place));
  const a = hex(stops[k]), b = hex(stops[k + 1]), x = place - k;
  return a.map((one, c) => Math.round(one + (b[c] - one) * x));
}

// From a range to a map: [low, high, value → rgb].
function colours(low, high) {
  const signed = low < 0, end = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const from = signed ? -end : 0, to = signed ? end : high <= 1 && high > 0.2 ? 1 : end;
  const stops = signed ? STOPS[theme()] : STOPS.sequential;
  const table = Array.from({ length: 256 }, (_, k) => ramp(stops, k / 255));
  const of = (value) => table[Math.max(0, Math.min(255, Math.round(((value - from) / (to - from)) * 255)))];
  return { from, to, of };
}

// The range of a scale: clipped to the 98th percentile of magnitudes where a few numbers are far out.
function extent(numbers) {
  const low = numbers.reduce((a, b) => Math.min(a, b)), high = numbers.reduce((a, b) => Math.max(a, b));
  const sorted = Array.from(numbers, Math.abs).sort((a, b) => a - b), end = sorted[Math.floor(0.98 * (sorted.length - 1))];
  return Math.max(-low, high) > 2 * end && end > 0 ? [Math.max(low, -end), Math.min(high, end)] : [low, high];
}

const css = (rgb) => `rgb(${rgb.join(",")})`;
function readable(rgb) {
  const [r, g, b] = rgb.map((c) => { const x = c / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
  return (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) ** 2 > 1.05 * 0.05 ? "#000" : "#fff";
}

function drawScale(host, map, label) {
  const canvas = el("canvas", { width: 128, height: 1 }), pen = canvas.getContext("2d");
  for (let x = 0; x < 128; x++) { pen.fillStyle = css(map.of(map.from + ((map.to - map.from) * x) / 127)); pen.fillRect(x, 0, 1, 1); }
  host.replaceChildren(number(map.from), canvas, number(map.to), label ? " " + label : "");
}
