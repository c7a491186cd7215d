/** The player's keys, for the player that was touched last: Space, arrows, L, + and -, ?. */

/** @type {import("../player.js").Player | null} */
let current = null;
let isListening = false;

/** @param {import("../player.js").Player} player */
export function followKeys(player) {
  current ??= player;
  for (const name of ["pointerdown", "focusin"]) {
    player.element.addEventListener(name, () => (current = player));
  }
  if (!isListening) document.addEventListener("keydown", handleKey);
  isListening = true;
}

/** @param {KeyboardEvent} event */
function handleKey(event) {
  if (!current || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!current.element.isConnected || document.querySelector("dialog[open]")) return;
  if (isOccupied(/** @type {Element} */ (event.target), event.key)) return;
  const player = current;
  /** @type {Record<string, () => void>} */
  const actions = {
    " ": () => void player.toggle(),
    ArrowLeft: () => player.moveBar(-1),
    ArrowRight: () => player.moveBar(1),
    l: () => player.setLoop(!player.isLooping),
    L: () => player.setLoop(!player.isLooping),
    "+": () => player.setTempo(player.settings.tempo + 5),
    "=": () => player.setTempo(player.settings.tempo + 5),
    "-": () => player.setTempo(player.settings.tempo - 5),
    "?": () => player.showHelp(),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/**
 * Whether a key means something else where it was pressed.
 *
 * @param {Element} target
 * @param {string} key
 */
function isOccupied(target, key) {
  if (target.closest("textarea, select, [contenteditable], [role=slider], [role=tab]")) return true;
  const input = /** @type {HTMLInputElement | null} */ (target.closest("input"));
  if (input) {
    const isPress = input.type === "checkbox" || input.type === "radio" || input.type === "button";
    return !isPress || key === " " || key.startsWith("Arrow");
  }
  return key === " " && Boolean(target.closest("button, summary, a, [role=button]"));
}
