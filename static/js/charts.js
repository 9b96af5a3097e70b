// The panel of a session's history: what the server drew from few points is drawn from as many as there is room for. Pointing
// reads a row out, a click goes there, and dragging over some rows shows only those.

import { all, maybe, one } from "./dom.js";
import { _, decimal } from "./text.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {{name: string, unit: string, min: number[], max: number[], last: number[]}} Series */
/** @typedef {{from: number, to: number, width: number, seqs: number[], series: Series[]}} Answer */

const MOST_POINTS = 1000;
const DRAGGED = 6; // pixels; less is a click
const HEIGHT = 128;

/** @type {Promise<any> | undefined} */
let library;

/** The drawing library and its sheet, loaded when the first chart is there. @param {HTMLElement} box */
function loaded(box) {
  const { script, scriptIntegrity, sheet, sheetIntegrity } = box.dataset;
  library ??= new Promise((resolve, reject) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: sheet, integrity: sheetIntegrity });
    const code = Object.assign(document.createElement("script"), { src: script, integrity: scriptIntegrity });
    code.onload = () => resolve(/** @type {any} */ (globalThis).uPlot);
    code.onerror = reject;
    document.head.append(style, code);
  });
  library.catch(() => (library = undefined));
  return library;
}

/** A value as the page writes it: an index has three decimals. @param {number} value @param {string} unit */
function written(value, unit) {
  return unit === "thousandths" ? (value / 1000).toFixed(3).replace("-", "−") : decimal(value);
}

class Chart {
  /** @param {HTMLElement} figure @param {Answer} answer @param {View} view @param {any} UPlot @param {number | undefined} at */
  constructor(figure, answer, view, UPlot, at) {
    this.view = view;
    this.answer = answer;
    this.at = at;
    this.unit = figure.dataset.unit ?? "";
    this.least = Number(figure.dataset.least);
    this.greatest = Number(figure.dataset.greatest);
    this.plot = one(figure, ".plot", HTMLElement);
    this.reading = one(figure, ".reading", HTMLOutputElement);
    this.paths = all(this.plot, "path[data-series]", SVGPathElement);
    this.series = this.paths.map((path) => /** @type {Series} */ (answer.series.find((one) => one.name === path.dataset.series)));
    this.bands = answer.width > 1;
    this.chart = new UPlot(this.options(UPlot, figure.dataset.curved !== undefined), this.data(), this.plot);
    this.plot.classList.add("drawn");
    this.chart.over.addEventListener("click", (/** @type {MouseEvent} */ event) => event.detail && this.go());
    new ResizeObserver(() => this.chart.setSize({ width: this.width, height: HEIGHT })).observe(this.plot);
  }

  /** The room beside the scale's ends. */
  get width() {
    const { paddingInlineEnd } = getComputedStyle(this.plot);
    return Math.max(50, this.plot.clientWidth - parseFloat(paddingInlineEnd));
  }

  /** The rows, each line, and where points have several rows the least and the greatest of each line. */
  data() {
    const ends = this.bands ? this.series.flatMap(({ min, max }) => [max, min]) : [];
    return [this.answer.seqs, ...this.series.map(({ last }) => last), ...ends];
  }

  /** @param {any} UPlot @param {boolean} curved */
  options(UPlot, curved) {
    const paths = UPlot.paths.stepped({ align: 1 });
    const lines = this.paths.map((path) => ({
      stroke: () => getComputedStyle(path).stroke,
      dash: getComputedStyle(path).strokeDasharray.split(/[ ,]+/).map(parseFloat).filter((length) => length > 0),
      width: 1.5,
      paths,
      points: { show: false },
    }));
    const ends = this.bands ? this.series.flatMap(() => [0, 1].map(() => ({ width: 0, paths, points: { show: false } }))) : [];
    const bands = ends.length
      ? this.paths.map((path, place) => ({
          series: [lines.length + 1 + 2 * place, lines.length + 2 + 2 * place],
          fill: () => `color-mix(in srgb, ${getComputedStyle(path).stroke} 25%, transparent)`,
        }))
      : [];
    const { from, to } = this.answer;
    return {
      width: this.width,
      height: HEIGHT,
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      padding: [2, 0, 2, 0], // a line along an end is seen whole
      scales: { x: { time: false, range: () => [from, to + 1] }, y: { ...(curved ? { distr: 4 } : {}), range: () => this.range() } },
      cursor: { sync: { key: "history" }, points: { show: false }, drag: { x: true, y: false, setScale: false }, y: false },
      series: [{}, ...lines, ...ends],
      bands,
      hooks: { setCursor: [() => this.read()], setSelect: [() => this.choose()], draw: [() => this.mark()] },
    };
  }

  /** The scale's ends; of one value it is the middle. */
  range() {
    return this.least === this.greatest ? [this.least - 1, this.greatest + 1] : [this.least, this.greatest];
  }

  /** The first row of a point, and its last. @param {number} index */
  rows(index) {
    const { seqs, to } = this.answer;
    return [seqs[index] ?? to, (seqs[index + 1] ?? to + 1) - 1];
  }

  /** Say what is under the pointer. */
  read() {
    const index = this.chart.cursor.idx;
    if (index === null || index === undefined) {
      this.reading.value = "";
      return;
    }
    const [first, last] = this.rows(index);
    const values = this.series.map(({ min, max, last: ends }, place) => {
      const [low, high, end] = [min, max, ends].map((of) => written(of[index] ?? 0, this.unit));
      const name = this.paths[place]?.textContent ?? "";
      return `${name} ${end}${low === high ? "" : ` (${low}–${high})`}`;
    });
    this.reading.value = `${first === last ? "" : `#${decimal(first)}–`}#${decimal(last)}: ${values.join(" · ")}`;
  }

  /** Go to the row under the pointer. */
  go() {
    const { idx, left } = this.chart.cursor;
    if (idx === null || idx === undefined) return;
    const [first, last] = this.rows(idx);
    const row = Math.min(last, Math.max(first, Math.floor(this.chart.posToVal(left, "x"))));
    this.view.show(this.view.address({ at: row < this.view.head ? row : null, outcome: null }), { part: this.plot.closest("[data-region]") });
  }

  /** Show only the rows that were dragged over. */
  choose() {
    const { left, width } = this.chart.select;
    if (width < DRAGGED) return;
    const since = Math.floor(this.chart.posToVal(left, "x"));
    const until = Math.max(since + 1, Math.floor(this.chart.posToVal(left + width, "x")));
    this.chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.view.show(this.view.address({ since, until: Math.min(until, this.answer.to) }), { part: this.plot.closest("[data-region]") });
  }

  /** Mark the moment that the page shows. */
  mark() {
    const now = maybe(this.plot, "path.now", SVGPathElement);
    if (this.at === undefined || !now) return;
    const { ctx, bbox } = this.chart;
    const x = this.chart.valToPos(this.at, "x", true);
    ctx.save();
    ctx.fillStyle = getComputedStyle(now).stroke;
    ctx.fillRect(x, bbox.top, 2 * devicePixelRatio, bbox.height);
    ctx.restore();
  }
}

/** @param {HTMLElement} box @param {View} view */
async function draw(box, view) {
  const figures = all(box, "figure.chart", HTMLElement);
  const names = new Set(all(box, "path[data-series]", SVGPathElement).map((path) => path.dataset.series));
  const { from, to, at } = box.dataset;
  const points = Math.min(MOST_POINTS, Math.ceil((figures[0]?.clientWidth ?? MOST_POINTS) / 2));
  const query = new URLSearchParams({ names: [...names].join(","), from: from ?? "", to: to ?? "", points: String(points) });
  const [UPlot, answer] = await Promise.all([loaded(box), fetch(`${view.api}/series?${query}`)]);
  if (!answer.ok || !box.isConnected) return;
  const found = await answer.json();
  for (const figure of figures) new Chart(figure, found, view, UPlot, at === undefined ? undefined : Number(at));
  box.dataset.drawn = "";
}

/** Draw the charts whenever the panel is put in place. @param {View} view */
export function charts(view) {
  /** @type {HTMLElement | null} */
  let last = null;
  const look = () => {
    const box = maybe(document, "[data-charts]", HTMLElement);
    if (box === last) return;
    last = box;
    // Without them the server's drawing stays.
    if (box) draw(box, view).catch(() => {});
  };
  new MutationObserver(look).observe(one(document, "#machine", HTMLElement), { childList: true, subtree: true });
  look();
}
