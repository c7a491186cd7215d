/**
 * The first bars of tunes in lists, drawn when they come into view.
 *
 * Each `[data-incipit]` holds the notes as text, which stays where nothing can be drawn, and the ABC
 * in a `<template>`.
 */

import { loadAbcjs } from "./score/abcjs.js";

const LAYOUT = { staffwidth: 330, responsive: "resize", scale: 1, paddingtop: 0, paddingbottom: 4, paddingleft: 0, paddingright: 0, add_classes: true };

/** @param {Element} element */
async function draw(element) {
  const abc = element.querySelector("template")?.content.textContent ?? "";
  const words = element.querySelector("code");
  const sheet = document.createElement("div");
  sheet.className = "score-sheet";
  sheet.setAttribute("aria-hidden", "true");
  try {
    const abcjs = await loadAbcjs();
    element.append(sheet);
    abcjs.renderAbc(sheet, abc, LAYOUT);
    for (const part of [sheet, sheet.querySelector("svg")]) part?.removeAttribute("style");
    sheet.querySelector("title")?.remove();
  } catch {
    sheet.remove();
    return;
  }
  words?.classList.add("sr");
  element.classList.add("is-drawn");
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    void draw(target);
  }
}, { rootMargin: "200px" });
for (const element of document.querySelectorAll("[data-incipit]")) seen.observe(element);
