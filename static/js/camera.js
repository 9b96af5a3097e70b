// Where the map looks: which frame is in its upper left corner, and how many frames a cell stands for. Both move while it
// zooms or pans; at rest a cell stands for a power of two and the corner begins a row.

import { ROW } from "./frames.js";

const ZOOMING = 180; // ms
const SETTLING = 120;

/** @param {number} t */
const eased = (t) => 1 - (1 - t) ** 3;

export class Camera {
  /** @param {() => void} moved called before each picture of a motion @param {() => void} rested */
  constructor(moved, rested) {
    this.moved = moved;
    this.rested = rested;
    this.level = 0;
    this.start = 0;
    this.low = 0;
    this.end = 1;
    this.most = 0;
    /** Cells that are on view at once, at most. */
    this.view = 1280;
    /** @type {((now: number) => boolean) | null} */
    this.motion = null;
    /** @type {number | undefined} where a zoom that is under way leads to */
    this.to = undefined;
    /** @type {number | undefined} the corner that gliding leads to */
    this.rest = undefined;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** @param {number} low @param {number} end @param {number} most */
  zone(low, end, most) {
    Object.assign(this, { low, end, most });
  }

  /** Look elsewhere at once. @param {number} start @param {number} level */
  jump(start, level) {
    this.motion = null;
    this.to = undefined;
    this.rest = undefined;
    this.level = level;
    this.start = this.within(start, level);
  }

  /** The level that a motion leads to. */
  get goal() {
    return this.to ?? this.level;
  }

  /** The corner that a motion leads to. */
  get corner() {
    return this.rest ?? this.start;
  }

  /** Cells of the zone at the present level. */
  get cells() {
    const size = 2 ** this.level;
    return Math.min(this.view, Math.ceil((this.end - this.first(this.level)) / size));
  }

  /** Where the zone's first row begins. @param {number} level */
  first(level) {
    const row = ROW * 2 ** Math.ceil(level);
    return Math.floor(this.low / row) * row;
  }

  /** A corner so that the zone is on view. @param {number} start @param {number} level */
  within(start, level) {
    const row = ROW * 2 ** level;
    const first = this.first(level);
    const rows = Math.ceil((this.end - first) / row);
    return Math.max(first, Math.min(start, first + Math.max(0, rows - this.view / ROW) * row));
  }

  /** Zoom to a level, with a frame kept at its cell as far as the zone's ends let it. @param {number} level @param {number} pfn @param {number} cell */
  zoom(level, pfn, cell) {
    const from = this.level;
    const to = Math.max(0, Math.min(this.most, level));
    if (to === this.goal && (this.motion || to === from)) return;
    this.to = to;
    this.rest = undefined;
    const row = ROW * 2 ** to;
    // A corner begins a row: the cell moves with it by less than one, and stays on view.
    const top = Math.floor(pfn / row) * row;
    const ideal = Math.round((pfn - cell * 2 ** to) / row) * row;
    const rest = this.within(Math.min(top, Math.max(ideal, top - (this.view / ROW - 1) * row)), to);
    const begun = this.start;
    this.move(ZOOMING, (t) => {
      this.level = from + (to - from) * t;
      // Sizes change by factors, so the corner goes as far as the size has gone.
      const gone = from === to ? t : (2 ** this.level - 2 ** from) / (2 ** to - 2 ** from);
      this.start = begun + (rest - begun) * gone;
    });
  }

  /** Pan by rows, or parts of one. @param {number} rows */
  pan(rows) {
    if (this.to !== undefined) return;
    this.motion = null;
    this.rest = undefined;
    this.start = this.within(this.start + rows * ROW * 2 ** this.level, this.level);
    this.moved();
  }

  /** Glide by whole rows. @param {number} rows */
  glide(rows) {
    const row = ROW * 2 ** this.goal;
    this.settle(this.corner + rows * row);
  }

  /** Come to rest where a row begins. @param {number} near */
  settle(near = this.start) {
    if (this.to !== undefined) return;
    const row = ROW * 2 ** this.level;
    const begun = this.start;
    const rest = this.within(Math.round(near / row) * row, this.level);
    this.rest = rest;
    this.move(SETTLING, (t) => {
      this.start = begun + (rest - begun) * t;
    });
  }

  /** @param {number} length @param {(t: number) => void} step */
  move(length, step) {
    const begin = performance.now();
    const motion = (/** @type {number} */ now) => {
      if (this.motion !== motion) return false;
      const t = this.still.matches ? 1 : Math.min(1, Math.max(0, (now - begin) / length));
      step(eased(t));
      if (t === 1) {
        step(1);
        this.motion = null;
        this.to = undefined;
        this.rest = undefined;
      }
      this.moved();
      if (t === 1) this.rested();
      return t < 1;
    };
    this.motion = motion;
    const tick = (/** @type {number} */ now) => motion(now) && requestAnimationFrame(tick);
    if (this.still.matches) motion(begin + length);
    else requestAnimationFrame(tick);
  }
}
