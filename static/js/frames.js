// What is known of one zone's frames, level by level: a cell of level k stands for 2^k frames. Rows of cells are fetched when
// they come into view, drawn from another level until they are there, and fetched anew after calls.

import { zonemap } from "./api.js";

/** Cells of a row, and the most that are asked for or kept at once. */
export const ROW = 64;
const REQUEST = 64;
const KEPT = 4096;
const MOST_BLOCKS = 200; // drawn as new at once

/** A state's index below, then how much of the cell is in use, then the order of its block; or one of these two. */
export const OUTSIDE = -1;
export const UNKNOWN = -2;

/** The order of a cell that lies in no block. */
export const NO_ORDER = 255;

/** `was`: the orders before live news, until the row is known anew. */
/** @typedef {{cells: Uint8Array, fill: Uint8Array, orders: Uint8Array, was?: Uint8Array, epoch: number}} Row */
/** @typedef {[number, number, string]} Run */

export class Frames {
  /** @param {string} api @param {() => void} arrived */
  constructor(api, arrived) {
    this.api = api;
    this.arrived = arrived;
    this.zone = "";
    this.node = "";
    this.low = 0;
    this.end = 0;
    /** @type {string[]} */
    this.states = [];
    /** The row after which the machine is shown; empty for the last. */
    this.moment = "";
    /** @type {Map<number, Map<number, Row>>} */
    this.levels = new Map();
    this.epoch = 0;
    this.pending = new Set();
  }

  /** Another zone, of which nothing is known yet. @param {string} zone @param {string} node @param {number} low @param {number} end */
  of(zone, node, low, end) {
    if (zone === this.zone && node === this.node) return false;
    Object.assign(this, { zone, node, low, end });
    this.forget();
    this.levels.clear();
    return true;
  }

  /** The machine has changed: what is known stays on view only until it has been asked for again. */
  forget() {
    this.epoch++;
    this.pending.clear();
  }

  /** @param {Awaited<ReturnType<typeof zonemap>>} doc a map whose first cell begins a row */
  put(doc) {
    this.states = doc.states;
    const rows = this.level(doc.shift);
    if (rows.size > KEPT) rows.clear();
    const first = doc.start / 2 ** doc.shift / ROW;
    for (let at = 0; at < doc.cells.length; at += ROW) {
      const [cells, fill, orders] = [doc.cells, doc.fill, doc.orders].map((whole) => whole.slice(at, at + ROW));
      rows.set(first + at / ROW, { cells, fill, orders, epoch: this.epoch });
    }
  }

  /**
   * The free blocks of a map that were not there before, where it is known what was: halves of a split, or what a merge
   * made, with what it was made of.
   * @param {Awaited<ReturnType<typeof zonemap>>} doc @returns {Run[]}
   */
  blocks(doc) {
    const { shift, start, cells, orders } = doc;
    const rows = this.level(shift);
    const first = start / 2 ** shift;
    /** @type {Map<string, Run>} */
    const found = new Map();
    const add = (/** @type {number} */ pfn, /** @type {number} */ order) => {
      const head = Math.floor(pfn / 2 ** order) * 2 ** order;
      if (found.size < MOST_BLOCKS) found.set(`${head} ${order}`, [head, 2 ** order, ""]);
    };
    for (let at = 0; at < cells.length; at++) {
      const row = rows.get(Math.floor((first + at) / ROW));
      if (!row || orders[at] === NO_ORDER || this.states[cells[at]] !== "free") continue;
      const was = (row.was ?? row.orders)[(first + at) % ROW];
      const pfn = start + at * 2 ** shift;
      if (was === orders[at]) continue;
      add(pfn, orders[at]);
      if (was < orders[at]) add(pfn, was);
    }
    return [...found.values()];
  }

  /** @param {number} level */
  level(level) {
    let rows = this.levels.get(level);
    if (!rows) this.levels.set(level, (rows = new Map()));
    return rows;
  }

  /** What a cell that begins at a frame looks like, from the level that is nearest to the one asked for. @param {number} pfn @param {number} level */
  at(pfn, level) {
    if (pfn >= this.end || pfn + 2 ** level <= this.low) return OUTSIDE;
    for (let away = 0; away < 24; away++) {
      const found = this.exactly(pfn, level + away) ?? (away && away <= level ? this.exactly(pfn, level - away) : undefined);
      if (found !== undefined) return found;
    }
    return UNKNOWN;
  }

  /** @param {number} pfn @param {number} level */
  exactly(pfn, level) {
    const rows = this.levels.get(level);
    if (!rows) return undefined;
    const cell = Math.floor(Math.max(0, pfn) / 2 ** level);
    const row = rows.get(Math.floor(cell / ROW));
    const place = cell % ROW;
    return row && place < row.cells.length ? row.cells[place] | (row.fill[place] << 8) | (row.orders[place] << 16) : undefined;
  }

  /** See that these frames are known as they are now. @param {number} first @param {number} last @param {number} level */
  want(first, last, level) {
    const rows = this.level(level);
    const span = ROW * 2 ** level;
    const to = Math.floor((Math.min(last, this.end) - 1) / span);
    let row = Math.max(Math.floor(this.low / span), Math.floor(first / span));
    while (row <= to) {
      let count = 0;
      while (row + count <= to && count < REQUEST && this.missing(rows, level, row + count)) count++;
      if (count) this.fetch(level, row, count);
      row += count || 1;
    }
  }

  /** @param {Map<number, Row>} rows @param {number} level @param {number} row */
  missing(rows, level, row) {
    return rows.get(row)?.epoch !== this.epoch && !this.pending.has(`${level} ${row}`);
  }

  /** @param {number} shift @param {number} row @param {number} count */
  async fetch(shift, row, count) {
    const { epoch, zone, node } = this;
    const keys = Array.from({ length: count }, (_, at) => `${shift} ${row + at}`);
    for (const key of keys) this.pending.add(key);
    const start = row * ROW * 2 ** shift;
    const cells = Math.min(count * ROW, Math.ceil((this.end - start) / 2 ** shift));
    try {
      /** @type {Record<string, string>} */
      const window = { zone, node, start: String(start), shift: String(shift), cells: String(cells) };
      if (this.moment) window.at = this.moment;
      const doc = await zonemap(this.api, window);
      if (epoch === this.epoch && zone === this.zone && node === this.node) this.put(doc);
    } catch {
      return; // the page says whether it is live; what is known stays on view, and is asked for again when it is drawn
    } finally {
      if (epoch === this.epoch) for (const key of keys) this.pending.delete(key);
    }
    this.arrived();
  }

  /** Draw what rows of the journal did to frames, as far as that decides cells; the others wait for the next map. @param {Run[]} changed */
  apply(changed) {
    for (const [level, rows] of this.levels) {
      for (const [pfn, frames, state] of changed) {
        const first = Math.ceil(pfn / 2 ** level);
        const end = Math.floor((pfn + frames) / 2 ** level);
        for (let cell = first; cell < end; ) {
          const row = rows.get(Math.floor(cell / ROW));
          const stop = Math.min(end, (Math.floor(cell / ROW) + 1) * ROW);
          if (row) {
            row.was ??= row.orders.slice();
            row.orders.fill(NO_ORDER, cell % ROW, cell % ROW + stop - cell);
            row.cells.fill(this.states.indexOf(state), cell % ROW, cell % ROW + stop - cell);
            row.fill.fill(state === "free" ? 0 : 255, cell % ROW, cell % ROW + stop - cell);
          }
          cell = stop;
        }
      }
    }
  }
}
