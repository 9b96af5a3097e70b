// The frame map on a canvas: one cell = 2^k frames, told apart by colour, pattern and letter, as in the drawing that the
// server sends and in the legend. It zooms and pans in place, from a whole zone to single frames; a cursor walks it by keyboard;
// what it points at is read out.

import { zonemap } from "./api.js";
import { Camera } from "./camera.js";
import { maybe } from "./dom.js";
import { Frames, NO_ORDER, OUTSIDE, ROW, UNKNOWN } from "./frames.js";
import { looks } from "./patterns.js";
import { Readout } from "./readout.js";
import { _, ngettext } from "./text.js";

/** @typedef {import("./frames.js").Run} Run */
/** @typedef {Awaited<ReturnType<typeof zonemap>>} Doc */

// A row is 64 cells, as in the drawing; on a telephone half as many, so that a cell stays large enough to point at.
const NARROW_BELOW = 560;
// On a stage the map is a ribbon, unless it is what is looked at: twice as many cells in a row.
const WIDE = "(min-width: 720px)";
const RIBBON = ".layout-stage:not(.focus-map-picture)";
const FLASH = 2000;
const STRONG = 8; // cells of a block whose border is drawn strong
const CALM = 250; // ms after the last motion until the rest of the page follows
const STEP = 2; // levels of one press, as the buttons without script have it
const hex = (/** @type {number} */ pfn) => `0x${pfn.toString(16).padStart(5, "0")}`;

export class FrameMap {
  /** @param {HTMLElement} box @param {string} api */
  constructor(box, api) {
    this.box = box;
    this.api = api;
    this.readout = new Readout(api);
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", _("frame map"));
    this.canvas.setAttribute(
      "aria-label",
      _(
        "Frame map. Arrow keys walk, Enter inspects, plus and minus zoom, Page Up and Down pan; drag to pan, Control and wheel to zoom.",
      ),
    );
    this.canvas.setAttribute("aria-describedby", "map-readout");
    this.frames = new Frames(api, () => this.later());
    this.camera = new Camera(
      () => this.moving(),
      () => this.calm(),
    );
    /** @type {number | null} */
    this.cursor = null;
    /** @type {number | null} */
    this.pointed = null;
    /** @type {number | null} */
    this.selected = null;
    /** @type {Run[]} */
    this.changed = [];
    /** What was predicted. @type {Run[]} */
    this.guessed = [];
    /** Free blocks that have just been split or merged. @type {Run[]} */
    this.blocks = [];
    this.fresh = false;
    /** @type {number | undefined} */
    this.due = undefined;
    this.onInspect = (/** @type {number} */ _pfn) => {};
    this.onWindow = (/** @type {Record<string, string | number>} */ _window) => {};
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.point(this.cursor ?? this.firstPfn()));
    canvas.addEventListener("blur", () => this.later());
    new ResizeObserver(() => this.later()).observe(this.box);
    document.addEventListener("theme", () => this.later());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
    // The buttons lead to another page; here they do the same without leaving this one.
    document.addEventListener("click", (event) => this.button(event), true);
    document.addEventListener("input", (event) => {
      if (event.target instanceof HTMLInputElement && event.target.id === "map-zoom") {
        this.zoom(this.camera.most - Number(event.target.value));
      }
    });
  }

  // -- what the page tells ----------------------------------------------------------------------------------------------

  /** @param {Promise<Run[] | undefined>} changed */
  async open(changed) {
    this.show(this.box, await this.fetch(this.box), await changed);
    this.box.append(this.canvas);
    document.fonts.ready.then(() => this.later());
    this.draw();
  }

  /** @param {HTMLElement} box @returns {Promise<Doc>} the cells of the window that a rendered map describes */
  fetch(box) {
    const { zone = "", node = "", start = "", shift = "", cells = "", at } = box.dataset;
    /** @type {Record<string, string>} */
    const window = { zone, node, start, shift, cells };
    if (at) window.at = at;
    return zonemap(this.api, window);
  }

  /**
   * Show a rendered map: the frames are newer, and where the page looks elsewhere than before, so does the canvas.
   * @param {HTMLElement} box @param {Doc} doc @param {Run[]} [changed]
   */
  show(box, doc, changed) {
    const elsewhere = box === this.box || ![this.sent, place(this.box)].includes(place(box));
    if (box !== this.box) {
      for (const name of Object.keys(this.box.dataset)) delete this.box.dataset[name];
      Object.assign(this.box.dataset, box.dataset);
      this.redraw(box);
    }
    const { zone = "", node = "", zoneFirst, zoneEnd, maxShift, start, shift, selected, guessed } = this.box.dataset;
    if (!this.frames.of(zone, node, Number(zoneFirst), Number(zoneEnd))) this.frames.forget();
    this.frames.moment = this.box.dataset.at ?? "";
    this.camera.zone(Number(zoneFirst), Number(zoneEnd), Number(maxShift));
    if (changed?.length) this.blocks = this.frames.blocks(doc);
    this.frames.put(doc);
    if (elsewhere) this.camera.jump(Number(start), Number(shift));
    this.selected = selected === undefined ? null : Number(selected);
    this.guessed = runs(guessed);
    if (changed !== undefined) this.flash(changed);
    if (this.cursor !== null) this.cursor = this.clamp(this.cursor);
    if (document.activeElement === this.canvas && this.cursor !== null) this.tell(this.cursor);
    this.labels();
    this.later();
  }

  /** The drawing behind the canvas, for print and for who has no canvas. @param {HTMLElement} box */
  redraw(box) {
    const drawing = this.box.querySelector("svg");
    const fresh = box.querySelector("svg");
    if (drawing && fresh) drawing.replaceWith(document.adoptNode(fresh));
  }

  /** @param {Run[]} changed */
  apply(changed) {
    this.frames.apply(changed);
    this.later();
  }

  focus() {
    this.canvas.focus();
    this.canvas.scrollIntoView({ block: "nearest" });
  }

  // -- what changed: bold for two seconds, then thin until the next call ----------------------------------------------

  /** @param {Run[]} changed */
  flash(changed) {
    this.changed = changed;
    this.fresh = true;
    this.bold(changed.length > 0);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.fresh = false;
      this.bold(false);
      this.later();
    }, FLASH);
  }

  /** The blocks of the close-up that the call changed. @param {boolean} on */
  bold(on) {
    maybe(document, "#close-up", HTMLElement)?.toggleAttribute("data-fresh", on);
  }

  // -- where it looks ---------------------------------------------------------------------------------------------------

  /** @param {number} level */
  zoom(level, pfn = this.centre(), cell = this.cellOf(pfn)) {
    this.camera.zoom(level, pfn, cell);
  }

  moving() {
    clearTimeout(this.waiting);
    this.labels();
    this.draw();
  }

  /** At rest: the rest of the page follows, unless it moves on at once. */
  calm() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      const { zone = "", node = "" } = this.box.dataset;
      const window = { zone, node, shift: this.camera.level, start: `0x${this.camera.start.toString(16)}` };
      this.sent = `${zone} ${node} ${this.camera.start} ${this.camera.level}`;
      if (this.sent !== place(this.box)) this.onWindow(window);
    }, CALM);
  }

  /** The range beside the map, while it moves. */
  labels() {
    const { low, end, start, level, cells } = this.camera;
    const first = Math.max(low, Math.floor(start));
    const last = Math.min(end, Math.ceil(start + cells * 2 ** level)) - 1;
    const range = maybe(document, "#map-head .window", HTMLElement);
    if (range) range.textContent = `${hex(first)}–${hex(last)}`;
    const slider = maybe(document, "#map-zoom", HTMLInputElement);
    if (slider && document.activeElement !== slider) slider.value = String(this.camera.most - this.camera.goal);
  }

  /** @param {MouseEvent} event */
  button(event) {
    const link = event.target instanceof Element ? event.target.closest("#map-head .step[id]") : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.go(link.id.replace("map-", ""));
  }

  /** @param {string} way */
  go(way) {
    const { camera } = this;
    if (way === "in") this.zoom(camera.goal - STEP);
    else if (way === "out") this.zoom(camera.goal + STEP);
    else if (way === "whole") this.zoom(camera.most, camera.low, 0);
    else camera.glide(((way === "earlier" ? -1 : 1) * camera.view) / ROW);
  }

  // -- geometry -------------------------------------------------------------------------------------------------------

  get columns() {
    if (document.body.matches(RIBBON) && matchMedia(WIDE).matches) return ROW * 2;
    return this.box.clientWidth < NARROW_BELOW ? ROW / 2 : ROW;
  }

  /** Of a cell, in CSS pixels. */
  get size() {
    return this.canvas.clientWidth / this.columns;
  }

  /** Frames of a cell. */
  get span() {
    return 2 ** this.camera.level;
  }

  /** @param {number} cell */
  pfnOf(cell) {
    return this.camera.start + cell * this.span;
  }

  /** The cell of a frame. @param {number} pfn */
  cellOf(pfn) {
    return Math.floor((pfn - this.camera.start) / this.span);
  }

  firstPfn() {
    return this.clamp(this.selected ?? this.changed[0]?.[0] ?? this.camera.low);
  }

  /** What zooming keeps in view. */
  centre() {
    const pfn = this.cursor ?? this.selected ?? this.changed[0]?.[0];
    if (pfn !== undefined && pfn !== null && this.cellOf(pfn) >= 0 && this.cellOf(pfn) < this.camera.cells) return pfn;
    return this.clamp(this.pfnOf(Math.floor(this.camera.cells / 2)));
  }

  /** The nearest frame that is on view. @param {number} pfn */
  clamp(pfn) {
    const { low, end, corner, cells } = this.camera;
    return Math.max(low, Math.floor(corner), Math.min(pfn, end - 1, Math.floor(corner + cells * this.span) - 1));
  }

  /** @param {MouseEvent} event */
  pfnAt(event) {
    const { columns, size } = this;
    const x = Math.floor(event.offsetX / size);
    const y = Math.floor(event.offsetY / size + this.shown.part);
    if (x < 0 || x >= columns || y < 0) return null;
    const pfn = Math.floor(this.shown.start + (y * columns + x) * this.span);
    return this.frames.at(pfn, Math.round(this.camera.level)) === OUTSIDE ? null : Math.max(this.camera.low, pfn);
  }

  // -- pointing ---------------------------------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0) return;
    this.drag = { y: event.clientY, far: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.drag) {
      this.point(this.pfnAt(event));
      return;
    }
    const rows = (this.drag.y - event.clientY) / this.size;
    if (!this.drag.far && Math.abs(rows) < 0.5) return;
    this.drag = { y: event.clientY, far: true };
    this.camera.pan((rows * this.columns) / ROW);
  }

  /** @param {PointerEvent} event */
  up(event) {
    const far = this.drag?.far;
    this.drag = undefined;
    if (far) this.camera.settle();
    else if (event.type === "pointerup" && event.button === 0) this.inspect(this.pfnAt(event));
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const focused = document.activeElement === this.canvas;
    if (!event.ctrlKey && !event.metaKey && !focused) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 16 : event.deltaY;
    if (!event.ctrlKey && !event.metaKey) {
      this.camera.pan((lines / this.size) * (this.columns / ROW));
      clearTimeout(this.wheeled);
      this.wheeled = setTimeout(() => this.camera.settle(), 120);
      return;
    }
    this.turned = (this.turned ?? 0) + lines;
    if (Math.abs(this.turned) < 30) return;
    const pfn = this.pfnAt(event) ?? this.centre();
    this.zoom(this.camera.goal + Math.sign(this.turned), pfn, this.cellOf(pfn));
    this.turned = 0;
  }

  /** @param {number | null} pfn */
  point(pfn) {
    if (pfn === null || pfn === this.pointed) return;
    this.pointed = pfn;
    if (document.activeElement === this.canvas) this.cursor = pfn;
    this.tell(pfn);
    this.later();
  }

  /** First and last frame of the cell of a frame. @param {number} pfn */
  cellAround(pfn) {
    const span = 2 ** Math.round(this.camera.level);
    const first = Math.floor(pfn / span) * span;
    return [Math.max(this.camera.low, first), Math.min(this.camera.end, first + span) - 1];
  }

  /** @param {number} pfn */
  tell(pfn) {
    const { zone = "", node = "", at } = this.box.dataset;
    const [first, last] = this.cellAround(pfn);
    this.readout.show(this.words(pfn), { zone, node, at, first, last });
  }

  /** @param {number} pfn */
  words(pfn) {
    const [first, last] = this.cellAround(pfn);
    const frames = last - first + 1;
    const look = this.frames.at(first, Math.round(this.camera.level));
    if (look < 0) return hex(first);
    const used = ((look >> 8) & 255) / 255;
    const state = this.frames.states[look & 255];
    const changed = this.changed.some(([run, count]) => run <= last && run + count > first);
    const what = [frames === 1 ? `${hex(first)}: ${state}` : this.several(first, last, state)];
    if (frames > 1) what.push(_("%(share)s in use", { share: used > 0 && used < 0.01 ? _("under 1 %") : `${Math.round(used * 100)} %` }));
    if (changed) what.push(_("changed by the last call"));
    return what.join("; ");
  }

  /** A cell of several frames. @param {number} first @param {number} last @param {string} state */
  several(first, last, state) {
    const range = `${hex(first)}–${hex(last)}`;
    return ngettext("%(range)s, %(num)s frame: mostly %(state)s", "%(range)s, %(num)s frames: mostly %(state)s", last - first + 1, { range, state });
  }

  /** @param {number | null} pfn */
  inspect(pfn) {
    if (pfn === null) return;
    this.cursor = pfn;
    const [first, last] = this.cellAround(pfn);
    const hit = this.changed.find(([run, count]) => run <= last && run + count > first);
    this.onInspect(hit ? Math.max(first, hit[0]) : first);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = new Map([
      ["ArrowLeft", -1],
      ["ArrowRight", 1],
      ["ArrowUp", -this.columns],
      ["ArrowDown", this.columns],
      ["Home", -Infinity],
      ["End", Infinity],
    ]);
    const step = steps.get(event.key);
    if (step !== undefined) this.walk(step);
    else if (event.key === "Enter" || event.key === " ") this.inspect(this.cursor);
    else if (event.key === "+" || event.key === "=") this.go("in");
    else if (event.key === "-" || event.key === "−") this.go("out");
    else if (event.key === "PageUp") this.go("earlier");
    else if (event.key === "PageDown") this.go("later");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The cursor by cells; at an edge the map follows it. @param {number} step */
  walk(step) {
    const { low, end } = this.camera;
    const [first] = this.cellAround(this.cursor ?? this.firstPfn());
    const to = Number.isFinite(step) ? Math.max(low, Math.min(end - 1, first + step * this.span)) : this.clamp(step < 0 ? 0 : end);
    const cell = Math.floor((to - this.camera.corner) / this.span);
    if (cell < 0) this.camera.glide(-1);
    else if (cell >= this.camera.cells) this.camera.glide(1);
    this.point(to);
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  /** Draw before the next picture, once. */
  later() {
    this.due ??= requestAnimationFrame(() => this.draw());
  }

  /** What is on view: the frame in the corner, and how much of the first row is above it. */
  get shown() {
    const { start, level } = this.camera;
    if (level !== Math.round(level) || this.columns > ROW) return { start, part: 0 };
    const row = this.columns * 2 ** level;
    const first = Math.floor(start / row) * row;
    return { start: first, part: (start - first) / row };
  }

  draw() {
    if (this.due) cancelAnimationFrame(this.due);
    this.due = undefined;
    const context = this.canvas.isConnected && this.frames.states.length ? this.canvas.getContext("2d") : null;
    if (!context) return;
    const ratio = devicePixelRatio || 1;
    const { columns } = this;
    const rows = Math.ceil(this.camera.cells / columns);
    const size = Math.floor((this.box.clientWidth * ratio) / columns);
    if (!size) return;
    this.resize(size * columns, size * rows, ratio);
    this.stamps = looks(size, this.stamps);
    const { start, part } = this.shown;
    const level = Math.round(this.camera.level);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(1, 0, 0, 1, 0, -Math.round(part * size));
    const count = (rows + (part ? 1 : 0)) * columns;
    this.cells(context, size, start, count, level);
    if (this.camera.level === level) this.edges(context, size, start, count, ratio);
    if (this.fresh) this.outline(context, size, start, this.blocks, 2 * ratio);
    this.outline(context, size, start, this.changed, this.fresh ? 2 * ratio : ratio);
    this.guesses(context, size, start, ratio);
    if (this.selected !== null) this.outline(context, size, start, [[this.selected, 1, ""]], 2 * ratio);
    const pointed = document.activeElement === this.canvas ? this.cursor : this.pointed;
    if (pointed !== null) this.ring(context, size, Math.floor((pointed - start) / this.span), ratio);
    if (!this.camera.motion || this.drag) this.frames.want(start - this.span * ROW * 8, start + this.span * this.camera.view * 1.25, level);
  }

  /** @param {number} width @param {number} height @param {number} ratio */
  resize(width, height, ratio) {
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.style.width = `${width / ratio}px`;
    this.canvas.style.height = `${height / ratio}px`;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} size @param {number} start @param {number} count @param {number} level */
  cells(context, size, start, count, level) {
    const { columns, span, frames, stamps } = this;
    if (!stamps) return;
    const free = frames.states.indexOf("free");
    const orders = Array.from({ length: 11 }, (_, order) => stamps.again.get(`free-${order}`));
    context.fillStyle = stamps.soft;
    for (let cell = 0, before = OUTSIDE; cell < count; cell++) {
      const look = frames.at(Math.floor(start + cell * span), level);
      if (look === OUTSIDE || look === UNKNOWN) {
        before = look;
        continue;
      }
      const x = (cell % columns) * size;
      const y = Math.floor(cell / columns) * size;
      const index = look & 255;
      const state = frames.states[index];
      const block = index === free ? orders[look >> 16] : undefined;
      const picture = block ?? (cell % columns === 0 || before !== index ? stamps.first : stamps.again).get(state);
      if (picture) context.drawImage(picture, x, y);
      const used = (look >> 8) & 255;
      if (index === free && used) {
        const height = Math.max(2, Math.floor((used * (size - 2)) / 255));
        context.fillRect(x, y + size - 1 - height, size - 1, height);
      }
      before = index;
    }
  }

  /** The borders of blocks that have several cells. @param {CanvasRenderingContext2D} context @param {number} size @param {number} start @param {number} count @param {number} ratio */
  edges(context, size, start, count, ratio) {
    const { columns, span, frames } = this;
    const level = this.camera.level;
    const [thin, strong] = [new Path2D(), new Path2D()];
    for (let cell = 0; cell < count; ) {
      const pfn = start + cell * span;
      const look = frames.at(pfn, level);
      const order = look < 0 ? NO_ORDER : look >> 16;
      const end = order === NO_ORDER || order <= level ? 0 : (Math.floor(pfn / 2 ** order) + 1) * 2 ** order;
      const after = Math.max(cell + 1, Math.min(count, Math.round((end - start) / span)));
      if (end) {
        for (const [x, y, width, height] of boxes(cell, after - 1, columns)) {
          (after - cell >= STRONG ? strong : thin).rect(x * size - ratio / 2, y * size - ratio / 2, width * size, height * size);
        }
      }
      cell = after;
    }
    context.strokeStyle = this.stamps?.edge ?? "";
    context.lineWidth = ratio;
    context.stroke(thin);
    context.lineWidth = 2 * ratio;
    context.stroke(strong);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} size @param {number} start @param {Run[]} runs @param {number} line */
  outline(context, size, start, runs, line, style = this.stamps?.ink) {
    const { columns, span } = this;
    const count = (Math.ceil(this.camera.cells / columns) + 1) * columns;
    context.strokeStyle = style ?? "";
    context.lineWidth = line;
    for (const [pfn, frames] of runs) {
      const first = Math.max(0, Math.floor((pfn - start) / span));
      const last = Math.min(count, Math.ceil((pfn + frames - start) / span)) - 1;
      if (first > last) continue;
      for (const [x, y, width, height] of boxes(first, last, columns)) {
        context.strokeRect(x * size + line / 2, y * size + line / 2, width * size - line - 1, height * size - line - 1);
      }
    }
  }

  /** What was predicted, dashed over what is. @param {CanvasRenderingContext2D} context @param {number} size @param {number} start @param {number} ratio */
  guesses(context, size, start, ratio) {
    if (!this.guessed.length) return;
    context.setLineDash([4 * ratio, 3 * ratio]);
    this.outline(context, size, start, this.guessed, 2 * ratio, this.stamps?.bad);
    context.setLineDash([]);
  }

  /** The cursor: ink on paper on ink, to be seen on every state. @param {CanvasRenderingContext2D} context @param {number} size @param {number} cell @param {number} ratio */
  ring(context, size, cell, ratio) {
    if (cell < 0 || !this.stamps) return;
    const x = (cell % this.columns) * size;
    const y = Math.floor(cell / this.columns) * size;
    for (const [width, style] of /** @type {[number, string][]} */ ([[4, this.stamps.paper], [2, this.stamps.ink]])) {
      context.lineWidth = width * ratio;
      context.strokeStyle = style;
      context.strokeRect(x - ratio, y - ratio, size + ratio, size + ratio);
    }
  }
}

/**
 * A run of cells as boxes, as in the drawing without script: whole rows that follow each other are one.
 * @param {number} first @param {number} last @param {number} columns
 */
function* boxes(first, last, columns) {
  while (first <= last) {
    const [x, y] = [first % columns, Math.floor(first / columns)];
    const height = x ? 1 : Math.max(1, Math.floor((last + 1 - first) / columns));
    const width = Math.min(last + 1 - first, columns - x);
    yield [x, y, width, height];
    first += height > 1 ? height * columns : width;
  }
}

/** Runs of frames as the page writes them: `1024+1 1029+3`. @param {string} [text] @returns {Run[]} */
function runs(text) {
  return (text?.split(" ") ?? []).map((run) => {
    const [pfn, frames] = run.split("+").map(Number);
    return [pfn, frames, ""];
  });
}

/** Where a rendered map looks. @param {HTMLElement} box */
function place({ dataset: { zone, node, start, shift } }) {
  return `${zone} ${node} ${start} ${shift}`;
}
