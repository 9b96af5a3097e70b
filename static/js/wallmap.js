// A machine from far away, as app/web/wallmap.py draws it.

import { one } from "./dom.js";
import { _, decimal } from "./text.js";

const CELL = 12;
const COLUMNS = 16;
const QUARTERS = "wxyz";
const SPOKEN = 4;
const STATES = (one(document, "#wall", HTMLElement).dataset.states ?? "").split(" ");

/** @param {string} cell */
const stateOf = (cell) => (QUARTERS.includes(cell) ? STATES[0] : STATES[parseInt(cell, 36)]);

/** @param {SVGElement} svg @param {string} cells */
export function draw(svg, cells) {
  /** @type {Map<string, string>} */
  const paths = new Map();
  let bars = "";
  for (let top = 0; top < cells.length; top += COLUMNS) {
    const y = (top / COLUMNS) * CELL;
    const row = [...cells.slice(top, top + COLUMNS)];
    for (let place = 0; place < row.length; ) {
      const state = stateOf(row[place]);
      let end = place;
      while (end < row.length && stateOf(row[end]) === state) end++;
      const width = (end - place) * CELL;
      paths.set(state, `${paths.get(state) ?? ""}M${place * CELL} ${y}h${width}v${CELL}h-${width}z`);
      for (; place < end; place++) {
        const used = ((QUARTERS.indexOf(row[place]) + 1) * CELL) / QUARTERS.length;
        if (used) bars += `M${place * CELL} ${y + CELL - used}h${CELL}v${used}h-${CELL}z`;
      }
    }
  }
  svg.replaceChildren(
    ...[...paths].flatMap(([state, d]) => [
      path(svg, d, { class: `cell-${state}` }),
      path(svg, d, { fill: `url(#wall-${state})` }),
    ]),
    ...(bars ? [path(svg, bars, { class: "part" })] : []),
  );
}

/** A part of a picture. @param {Element} svg @param {string} d @param {Record<string, string>} attributes */
function path(svg, d, attributes) {
  const made = document.createElementNS(svg.namespaceURI, "path");
  for (const [name, value] of Object.entries({ ...attributes, d })) made.setAttribute(name, value);
  return made;
}

/** What a picture shows, in words. @param {string} cells @param {number} used percent */
export function words(cells, used) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const cell of cells) {
    const state = stateOf(cell);
    if (state !== STATES[0]) counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, SPOKEN);
  return _("%(used)s in use; of %(all)s cells %(cells)s", {
    used: `${decimal(used < 10 ? used : Math.round(used))} %`,
    all: decimal(cells.length),
    cells: most.map(([state, count]) => `${state} ${decimal(count)}`).join(", ") || "free",
  });
}
