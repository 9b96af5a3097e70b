// The frame map on a canvas: one cell = 2^shift frames, told apart by colour, pattern and letter, as in the drawing that
// the server sends and in the legend. A cursor walks it by keyboard; what it points at is read out.

import { zonemap } from "./api.js";
import { pattern } from "./patterns.js";

// A row is 64 cells, as in the drawing; on a telephone half as many, so that a cell stays large enough to point at.
const WIDE = 64;
const NARROW = 32;
const NARROW_BELOW = 560;
const FLASH = 2000;
const hex = (pfn) => `0x${pfn.toString(16).padStart(5, "0")}`;

export class FrameMap {
  /** @param {HTMLElement} box @param {string} api */
  constructor(box, api) {
    this.box = box;
    this.api = api;
    this.readout = document.getElementById("map-readout");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "frame map");
    this.canvas.setAttribute("aria-label", "Frame map. Arrow keys walk, Enter inspects, plus and minus zoom, Page Up and Down pan.");
    this.canvas.setAttribute("aria-describedby", "map-readout");
    this.cursor = null;
    this.changed = [];
    this.onInspect = () => {};
    this.onWindow = () => {};
    this.canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("click", (event) => this.inspect(this.cellAt(event)));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.point(this.cursor ?? this.firstCell()));
    this.canvas.addEventListener("blur", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.box);
    document.addEventListener("theme", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** @param {Promise<[number, number, string][] | undefined>} changed */
  async open(changed) {
    this.show(this.box, await this.fetch(this.box), await changed);
    this.box.append(this.canvas);
    document.fonts.ready.then(() => this.draw());
    this.draw();
  }

  /** @param {HTMLElement} box @returns the cells of the window that a rendered map describes */
  fetch(box) {
    const { zone, node, start, shift, cells } = box.dataset;
    return zonemap(this.api, { zone, node, start, shift, cells });
  }

  /** @param {HTMLElement} box @param {Awaited<ReturnType<typeof zonemap>>} doc @param {[number, number, string][]} [changed] */
  show(box, doc, changed) {
    const moved = box !== this.box && ["zone", "node", "start", "shift"].some((name) => box.dataset[name] !== this.box.dataset[name]);
    const keep = this.cursor === null ? null : this.pfnOf(this.cursor);
    if (box !== this.box) {
      for (const name of Object.keys(this.box.dataset)) delete this.box.dataset[name];
      Object.assign(this.box.dataset, box.dataset);
    }
    const drawing = this.box.querySelector("svg");
    const fresh = box.querySelector("svg");
    if (drawing && fresh && drawing !== fresh) drawing.replaceWith(document.adoptNode(fresh));
    this.doc = doc;
    for (const name of ["start", "shift", "low", "high"]) this[name] = Number(this.box.dataset[name]);
    this.selected = this.box.dataset.selected === undefined ? null : Number(this.box.dataset.selected);
    if (moved && keep !== null) this.cursor = this.clamp(Math.floor((keep - this.start) / 2 ** this.shift));
    if (changed !== undefined) this.flash(changed);
    if (document.activeElement === this.canvas) this.readout.textContent = this.words(this.cursor);
    this.draw();
  }

  /**
   * Draw what rows did to frames, as far as that decides cells: one that is changed in part waits for the next map.
   * @param {[number, number, string][]} changed
   */
  apply(changed) {
    if (!this.doc) return;
    const { cells, fill, states } = this.doc;
    const width = 2 ** this.shift;
    for (const [pfn, frames, state] of changed) {
      const first = Math.max(0, Math.ceil((pfn - this.start) / width));
      const end = Math.min(cells.length, Math.floor((pfn + frames - this.start) / width));
      if (first >= end) continue;
      cells.fill(states.indexOf(state), first, end);
      fill.fill(state === "free" ? 0 : 255, first, end);
    }
    this.draw();
  }

  focus() {
    this.canvas.focus();
    this.canvas.scrollIntoView({ block: "nearest" });
  }

  // -- what changed: bold for two seconds, then thin until the next call ----------------------------------------------

  /** @param {[number, number, string][]} changed */
  flash(changed) {
    this.changed = changed;
    this.fresh = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.fresh = false;
      this.draw();
    }, FLASH);
  }

  // -- geometry -------------------------------------------------------------------------------------------------------

  get columns() {
    return this.box.clientWidth < NARROW_BELOW ? NARROW : WIDE;
  }

  /** Of a cell, in CSS pixels. */
  get size() {
    return this.canvas.clientWidth / this.columns;
  }

  /** @param {number} cell */
  pfnOf(cell) {
    return this.start + cell * 2 ** this.shift;
  }

  firstCell() {
    const pfn = this.selected ?? this.changed[0]?.[0] ?? this.low;
    return this.clamp(Math.floor((pfn - this.start) / 2 ** this.shift));
  }

  /** @param {number} cell */
  clamp(cell) {
    const first = Math.max(0, Math.floor((this.low - this.start) / 2 ** this.shift));
    return Math.min(this.doc.cells.length - 1, Math.max(first, cell));
  }

  /** @param {PointerEvent | MouseEvent} event */
  cellAt(event) {
    const { columns, size } = this;
    const x = Math.floor(event.offsetX / size);
    const y = Math.floor(event.offsetY / size);
    const cell = y * columns + x;
    return x >= 0 && x < columns && y >= 0 && cell < this.doc.cells.length && this.state(cell) !== null ? cell : null;
  }

  /** @param {number} cell */
  state(cell) {
    return this.pfnOf(cell) + 2 ** this.shift <= this.low ? null : this.doc.states[this.doc.cells[cell]];
  }

  // -- reading ---------------------------------------------------------------------------------------------------------

  /** @param {number | null} cell */
  point(cell) {
    if (cell === null || cell === this.pointed) return;
    this.pointed = cell;
    if (document.activeElement === this.canvas) this.cursor = cell;
    this.readout.textContent = this.words(cell);
    this.draw();
  }

  /** @param {number} cell */
  words(cell) {
    const first = Math.max(this.low, this.pfnOf(cell));
    const last = Math.min(this.high, this.pfnOf(cell + 1) - 1);
    const frames = last - first + 1;
    const used = this.doc.fill[cell] / 255;
    const where = frames === 1 ? hex(first) : `${hex(first)}–${hex(last)}, ${frames.toLocaleString("en")} frames`;
    const share = frames > 1 ? `; ${used > 0 && used < 0.01 ? "under 1" : Math.round(used * 100)} % in use` : "";
    const changed = this.changed.some(([pfn, count]) => pfn <= last && pfn + count > first) ? "; changed by the last call" : "";
    return `${where}: ${frames > 1 ? "mostly " : ""}${this.state(cell)}${share}${changed}`;
  }

  /** @param {number | null} cell */
  inspect(cell) {
    if (cell === null) return;
    this.cursor = cell;
    const first = Math.max(this.low, this.pfnOf(cell));
    const last = Math.min(this.high, this.pfnOf(cell + 1) - 1);
    const hit = this.changed.find(([pfn, count]) => pfn <= last && pfn + count > first);
    this.onInspect(hit ? Math.max(first, hit[0]) : first);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      this.point(this.clamp((this.cursor ?? this.firstCell()) + steps[event.key]));
    } else if (event.key === "Enter" || event.key === " ") {
      this.inspect(this.cursor);
    } else if (event.key === "+" || event.key === "=") this.zoom(-2);
    else if (event.key === "-" || event.key === "−") this.zoom(2);
    else if (event.key === "PageUp") document.getElementById("map-earlier")?.click();
    else if (event.key === "PageDown") document.getElementById("map-later")?.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Zoom around the cursor. @param {number} by */
  zoom(by) {
    const shift = Math.min(Number(this.box.dataset.maxShift), Math.max(0, this.shift + by));
    if (shift === this.shift) return;
    const row = WIDE * 2 ** shift;
    const centre = this.pfnOf(this.cursor ?? this.firstCell());
    const start = Math.max(0, Math.floor(centre / row) - 16) * row;
    this.onWindow({ zone: this.box.dataset.zone, node: this.box.dataset.node, shift, start: `0x${start.toString(16)}` });
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  draw() {
    if (!this.doc || !this.canvas.isConnected) return;
    const ratio = devicePixelRatio || 1;
    const { columns } = this;
    const rows = Math.ceil(this.doc.cells.length / columns);
    const size = Math.floor((this.box.clientWidth * ratio) / columns);
    if (this.canvas.width !== size * columns || this.canvas.height !== size * rows) {
      this.canvas.width = size * columns;
      this.canvas.height = size * rows;
      this.canvas.style.width = `${(size * columns) / ratio}px`;
      this.canvas.style.height = `${(size * rows) / ratio}px`;
    }
    const looks = this.looks(size);
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.doc.cells.forEach((_, cell) => {
      const state = this.state(cell);
      if (state === null) return;
      const x = (cell % columns) * size;
      const y = Math.floor(cell / columns) * size;
      const first = cell % columns === 0 || this.state(cell - 1) !== state;
      context.drawImage(looks.get(first ? state : `${state} again`) ?? looks.get(state), x, y);
      const used = this.doc.fill[cell];
      if (state === "free" && used) {
        const height = Math.max(2, Math.floor((used * (size - 2)) / 255));
        context.fillStyle = looks.soft;
        context.fillRect(x, y + size - 1 - height, size - 1, height);
      }
    });
    this.outline(context, size, looks.ink, this.changed, this.fresh ? 2 * ratio : ratio);
    if (this.selected !== null) this.outline(context, size, looks.ink, [[this.selected, 1]], 2 * ratio);
    const pointed = document.activeElement === this.canvas ? this.cursor : this.pointed;
    if (pointed !== null && pointed !== undefined) this.ring(context, size, looks, pointed, ratio);
  }

  /** Each state drawn once, to be stamped into its cells. @param {number} size */
  looks(size) {
    const key = `${size} ${getComputedStyle(document.documentElement).color} ${getComputedStyle(document.body).backgroundColor}`;
    if (this.stamps?.key === key) return this.stamps;
    const stamps = new Map();
    for (const entry of document.querySelectorAll(".legend [data-state]")) {
      const cell = getComputedStyle(entry.querySelector(".cell"));
      const stamp = new OffscreenCanvas(size, size);
      pattern(stamp.getContext("2d"), size, entry.dataset.state, entry.dataset.letter, cell.fill, cell.color);
      stamps.set(entry.dataset.state, stamp);
      if (entry.dataset.state === "reserved") {
        // Half of a zone may be reserved: one letter a run is enough of it.
        const again = new OffscreenCanvas(size, size);
        pattern(again.getContext("2d"), size, entry.dataset.state, "", cell.fill, cell.color);
        stamps.set("reserved again", again);
      }
    }
    const probe = document.querySelector(".legend .cell-free");
    stamps.ink = getComputedStyle(document.documentElement).color;
    stamps.paper = getComputedStyle(document.documentElement).backgroundColor;
    stamps.soft = getComputedStyle(probe).color;
    stamps.key = key;
    this.stamps = stamps;
    return stamps;
  }

  /** @param {CanvasRenderingContext2D} context @param {[number, number][]} runs */
  outline(context, size, ink, runs, line) {
    const { columns } = this;
    context.strokeStyle = ink;
    context.lineWidth = line;
    for (const [pfn, frames] of runs) {
      const first = Math.floor((Math.max(pfn, this.start) - this.start) / 2 ** this.shift);
      const last = Math.min(this.doc.cells.length, Math.ceil((pfn + frames - this.start) / 2 ** this.shift)) - 1;
      for (let row = Math.floor(first / columns); row <= Math.floor(last / columns) && first <= last; row++) {
        const left = Math.max(first, row * columns) % columns;
        const right = Math.min(last, row * columns + columns - 1) % columns;
        context.strokeRect(left * size + line / 2, row * size + line / 2, (right - left + 1) * size - line - 1, size - line - 1);
      }
    }
  }

  /** The cursor: ink on paper on ink, to be seen on every state. */
  ring(context, size, looks, cell, ratio) {
    const { columns } = this;
    const x = (cell % columns) * size;
    const y = Math.floor(cell / columns) * size;
    context.lineWidth = 4 * ratio;
    context.strokeStyle = looks.paper;
    context.strokeRect(x - ratio, y - ratio, size + ratio, size + ratio);
    context.lineWidth = 2 * ratio;
    context.strokeStyle = looks.ink;
    context.strokeRect(x - ratio, y - ratio, size + ratio, size + ratio);
  }
}
