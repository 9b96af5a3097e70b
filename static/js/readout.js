// What the map points at, in words: at once what the map itself knows, and where the cursor rests what the machine knows of it.

import { frame, zonemap } from "./api.js";
import { one } from "./dom.js";
import { _, decimal } from "./text.js";

const REST = 150; // ms; who only passes over cells asks for nothing
const MOST = 4096; // cells of one answer

/** @typedef {{zone: string, node: string, at?: string, first: number, last: number}} Cell */

const hex = (/** @type {number} */ pfn) => `0x${pfn.toString(16).padStart(5, "0")}`;

export class Readout {
  /** @param {string} api */
  constructor(api) {
    this.api = api;
    this.where = one(document, "#map-readout", HTMLElement);
    this.more = one(document, "#map-more", HTMLElement);
    /** @type {number | undefined} */
    this.timer = undefined;
    this.asked = 0;
  }

  /** @param {string} words @param {Cell} cell */
  show(words, cell) {
    if (words !== this.where.textContent) this.more.textContent = "";
    this.where.textContent = words;
    clearTimeout(this.timer);
    const mine = ++this.asked;
    this.timer = setTimeout(async () => {
      const found = await behind(this.api, cell).catch(() => "");
      if (mine === this.asked) this.more.textContent = found;
    }, REST);
  }
}

/** @param {string} api @param {Cell} cell */
async function behind(api, cell) {
  const { first, last, at } = cell;
  const mixed = last > first ? await mix(api, cell) : "";
  return mixed || block(await frame(api, first, at), first, last);
}

/** Of a cell whose frames differ, how many of each state. @param {string} api @param {Cell} cell */
async function mix(api, { zone, node, at, first, last }) {
  const frames = last - first + 1;
  const shift = Math.max(0, Math.ceil(Math.log2(frames / MOST)));
  const window = { zone, node, start: String(first), shift: String(shift), cells: String(Math.ceil(frames / 2 ** shift)) };
  const doc = await zonemap(api, at ? { ...window, at } : window);
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const index of doc.cells) counts.set(doc.states[index], (counts.get(doc.states[index]) ?? 0) + 2 ** shift);
  if (counts.size < 2) return "";
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([state, count]) => `${decimal(count)} ${state}`);
  return shift ? _("about %(counts)s", { counts: parts.join(", ") }) : parts.join(", ");
}

/**
 * The block that all of the frames are in: its order and who has it. Of several blocks nothing is said.
 * @param {any} page what the API says of the first @param {number} first @param {number} last
 */
function block(page, first, last) {
  const found = page.block ?? page.free;
  if (page.pcp && first === last) return _("order %(order)s, on the list of CPU %(cpu)s, %(type)s", page.pcp);
  if (!found || found.pfn + 2 ** found.order <= last) return "";
  const place = where(found, first);
  if (page.free) return _("%(place)s, on the %(type)s list", { place, type: page.free.type });
  const { task, seq } = found;
  return task ? _("%(place)s; %(gfp)s, by %(task)s at #%(seq)s", { place, gfp: found.gfp_names || found.gfp, task, seq }) : place;
}

/**
 * Which frame of its block one is.
 * @param {{order: number, pfn: number}} block @param {number} pfn
 */
function where({ order, pfn: head }, pfn) {
  const given = { order: String(order), head: hex(head), page: String(pfn - head) };
  if (!order) return _("order %(order)s", given);
  return pfn === head ? _("order %(order)s, the head of %(head)s", given) : _("order %(order)s, page %(page)s of %(head)s", given);
}
