// One cell of each state. The same patterns as templates/machine/patterns.html, drawn with the legend's own colours.

import { all, one } from "./dom.js";

/**
 * Lines across a cell of 12 units, by state: [x1, y1, x2, y2].
 * @type {Record<string, number[][]>}
 */
const LINES = {
  reserved: [[0, 12, 12, 0], [0, 6, 6, 0], [6, 12, 12, 6]],
  reclaimable: [[0, 0, 12, 12], [0, 6, 6, 12], [6, 0, 12, 6]],
  highatomic: [[0, 2.5, 12, 2.5], [0, 6, 12, 6], [0, 9.5, 12, 9.5]],
  slab: [[0, 0.5, 12, 0.5], [0, 6, 12, 6], [0.5, 0, 0.5, 12], [6, 0, 6, 12]],
  vmalloc: [[2.5, 0, 2.5, 12], [6, 0, 6, 12], [9.5, 0, 9.5, 12]],
  pagetable: [[0, 3, 12, 3], [0, 9, 12, 9], [3, 0, 3, 3], [9, 3, 9, 9], [3, 9, 3, 12]],
  lost: [[0, 0, 12, 12], [12, 0, 0, 12]],
};

/** @type {Record<string, number[][]>} */
const DOTS = { pcp: [[2, 2], [8, 2], [2, 8], [8, 8]] };

/**
 * @param {OffscreenCanvasRenderingContext2D} context @param {number} size in device pixels
 * @param {string} state @param {string} letter @param {string} fill @param {string} ink
 */
export function pattern(context, size, state, letter, fill, ink) {
  const unit = size / 12;
  context.fillStyle = fill;
  context.fillRect(0, 0, size - 1, size - 1);
  context.beginPath();
  context.rect(0, 0, size - 1, size - 1);
  context.clip();
  context.fillStyle = ink;
  context.strokeStyle = ink;
  context.lineWidth = Math.max(1, unit * 0.9);
  context.globalAlpha = state === "reserved" ? 0.25 : 0.45;
  for (const [x1, y1, x2, y2] of LINES[state] ?? []) {
    context.beginPath();
    context.moveTo(x1 * unit, y1 * unit);
    context.lineTo(x2 * unit, y2 * unit);
    context.stroke();
  }
  context.globalAlpha = 1;
  for (const [x, y] of DOTS[state] ?? []) context.fillRect(x * unit, y * unit, 2 * unit, 2 * unit);
  if (letter && size >= 9) {
    context.font = `700 ${Math.round(size * 0.74)}px "JetBrains Mono", monospace`;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.fillText(letter, (size - 1) / 2, size * 0.77);
  }
}

/**
 * Each state drawn once, to be stamped into cells; of a state that may fill half a zone one letter a run is enough.
 * @typedef {{key: string, first: Map<string, OffscreenCanvas>, again: Map<string, OffscreenCanvas>, ink: string, paper: string, soft: string}} Looks
 * @param {number} size in device pixels @param {Looks} [known] @returns {Looks}
 */
export function looks(size, known) {
  const page = getComputedStyle(document.documentElement);
  const key = `${size} ${page.color} ${page.backgroundColor} ${document.fonts.status}`;
  if (known?.key === key) return known;
  /** @type {Looks} */
  const found = { key, first: new Map(), again: new Map(), ink: page.color, paper: page.backgroundColor, soft: page.color };
  for (const entry of all(document, ".legend [data-state]", HTMLElement)) {
    const { state = "", letter = "" } = entry.dataset;
    const colours = getComputedStyle(one(entry, ".cell", SVGElement));
    found.first.set(state, stamp(size, state, letter, colours));
    found.again.set(state, stamp(size, state, state === "reserved" ? "" : letter, colours));
    if (state === "free") found.soft = colours.color;
  }
  return found;
}

/** @param {number} size @param {string} state @param {string} letter @param {CSSStyleDeclaration} colours */
function stamp(size, state, letter, colours) {
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  if (context) pattern(context, size, state, letter, colours.fill, colours.color);
  return canvas;
}
