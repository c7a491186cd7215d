/** Fills an empty field for a time zone with that of this browser. */
for (const field of document.querySelectorAll("input[data-zone]")) {
  const input = /** @type {HTMLInputElement} */ (field);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isKnown = [...(input.list?.options ?? [])].some((option) => option.value === zone);
  if (!input.value && isKnown) input.value = zone;
}
