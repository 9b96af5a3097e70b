// One cell of each look, drawn with the page's own patterns and palette (templates/machine/patterns.html).

import { all, maybe, one } from "./dom.js";

/**
 * @param {OffscreenCanvasRenderingContext2D} context @param {number} size in device pixels
 * @param {SVGElement | null} lines of the pattern @param {string} letter @param {string} fill @param {string} ink
 */
export function pattern(context, size, lines, letter, fill, ink) {
  const unit = size / 12;
  context.fillStyle = fill;
  context.fillRect(0, 0, size - 1, size - 1);
  context.beginPath();
  context.rect(0, 0, size - 1, size - 1);
  context.clip();
  context.fillStyle = ink;
  context.strokeStyle = ink;
  if (lines) draw(context, unit, lines);
  if (letter && size >= 9) {
    context.font = `700 ${Math.round(size * 0.74)}px "JetBrains Mono", monospace`;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.fillText(letter, (size - 1) / 2, size * 0.77);
  }
}

/** @param {OffscreenCanvasRenderingContext2D} context @param {number} unit @param {SVGElement} lines */
function draw(context, unit, lines) {
  const path = new Path2D(lines.getAttribute("d") ?? "");
  const style = getComputedStyle(lines);
  context.save();
  context.scale(unit, unit);
  context.lineWidth = Math.max(1 / unit, 0.9);
  if (style.fill !== "none") context.fill(path);
  context.globalAlpha = Number(style.strokeOpacity);
  if (style.stroke !== "none") context.stroke(path);
  context.restore();
}

/**
 * Each look drawn once, to be stamped into cells; of a state that may fill half a zone one letter a run is enough.
 * @typedef {{key: string, first: Map<string, OffscreenCanvas>, again: Map<string, OffscreenCanvas>, ink: string, paper: string, soft: string, edge: string, bad: string}} Looks
 * @param {number} size in device pixels @param {Looks} [known] @returns {Looks}
 */
export function looks(size, known) {
  const page = getComputedStyle(document.documentElement);
  const key = `${size} ${page.color} ${page.backgroundColor} ${document.fonts.status}`;
  if (known?.key === key) return known;
  /** @type {Looks} */
  const found = { key, first: new Map(), again: new Map(), ink: page.color, paper: page.backgroundColor, soft: page.color, edge: "", bad: "" };
  for (const entry of all(document, "#palette [data-look]", SVGElement)) {
    const { look = "", letter = "" } = entry.dataset;
    const colours = getComputedStyle(entry);
    found.first.set(look, stamp(size, look, letter, colours));
    found.again.set(look, stamp(size, look, look === "reserved" ? "" : letter, colours));
    if (look === "free") found.soft = colours.color;
  }
  found.edge = getComputedStyle(one(document, "#palette .block-edge", SVGElement)).stroke;
  found.bad = getComputedStyle(one(document, "#palette .guessed", SVGElement)).stroke;
  return found;
}

/** @param {number} size @param {string} state @param {string} letter @param {CSSStyleDeclaration} colours */
function stamp(size, state, letter, colours) {
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  const lines = maybe(document, `#pattern-${state} path`, SVGElement);
  if (context) pattern(context, size, lines, letter, colours.fill, colours.color);
  return canvas;
}
