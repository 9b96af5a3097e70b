// The public API, as scripts and notebooks use it.

import { _ } from "./text.js";

/** @typedef {{loc: (string | number)[], msg: string, word?: string, suggestions?: string[]}} Fault */

/** A request that was no kernel call: the problem document's words, and the fields at fault. */
export class Refused extends Error {
  /** @param {{title?: string, status?: number, detail?: string, errors?: Fault[]}} problem */
  constructor(problem) {
    super(words(problem.detail ?? problem.title ?? _("The server gave no reason.")));
    this.faults = (problem.errors ?? []).map(fault);
    /** The token of this browser is nobody's any more. */
    this.out = problem.status === 401;
    /** Frozen, locked or closed: it was a call, but none is made now. */
    this.held = problem.status === 409;
    /** The machine is deleted, or not one's own any more. */
    this.gone = problem.status === 404;
    /** Busy, or without room: nothing was stored. Of other failures of the server it is not known. */
    this.unable = [503, 507].includes(problem.status ?? 0);
    this.failed = (problem.status ?? 0) >= 500 && !this.unable;
    /** A line that only declares something, or a comment: there is nothing to do. */
    this.idle = /^calls: nothing is called here/.test(this.message);
    this.asleep = /^(line \d+: )?\S+ has been asleep since #/.test(this.message);
  }
}

/**
 * A field at fault and why. A line of text has only its number for a place; the field's name then begins the words.
 * @param {Fault} error
 */
function fault({ loc, msg, word = "", suggestions = [] }) {
  const [, field, why] = /^([a-z_]+): (.*)$/s.exec(msg) ?? [];
  const place = loc[0] === "line" ? { field: field ?? "", words: words(why ?? msg) } : { field: String(loc.at(-1)), words: words(msg) };
  return { ...place, word, suggestions };
}

/**
 * What the API calls by its addresses has a page here.
 * @param {string} text
 */
function words(text) {
  return text.replaceAll(/GET \/api\/v1\/(gfp|calls)\b/g, "the page /$1");
}

/** @param {Response} response */
async function answered(response) {
  const body = await response.json().catch(() => ({ title: `${response.status} ${response.statusText}`, status: response.status }));
  if (!response.ok) throw new Refused(body);
  return body;
}

/**
 * Make one call, written as a line of text. Returns its outcome.
 * @param {string} api @param {string} line
 */
export async function call(api, line) {
  const headers = { "Content-Type": "text/plain", Accept: "application/json" };
  const body = await answered(await fetch(`${api}/calls`, { method: "POST", headers, body: line }));
  if (!body.outcomes.length) throw new Refused({ status: 409, detail: _("Stopped before the first call: nothing happened.") });
  return { ...body.outcomes.at(-1), stopped: body.stopped_after !== undefined };
}

/**
 * A window of the zone map, with its bytes decoded.
 * @param {string} api @param {Record<string, string>} window
 */
export async function zonemap(api, window) {
  const doc = await answered(await fetch(`${api}/zonemap?${new URLSearchParams(window)}`));
  return { ...doc, cells: bytes(doc.cells), fill: bytes(doc.fill), orders: bytes(doc.orders) };
}

/**
 * Everything that is known of a page frame.
 * @param {string} api @param {number} pfn @param {string} [at] the moment, where it is not the last
 */
export async function frame(api, pfn, at) {
  return answered(await fetch(`${api}/pages/${pfn}${at ? `?at=${at}` : ""}`));
}

/**
 * A task, or null where it is there no longer.
 * @param {string} api @param {string} name @returns {Promise<{since: number | null, holds: number[]} | null>}
 */
export async function task(api, name) {
  return answered(await fetch(`${api}/tasks/${encodeURIComponent(name)}`)).catch((error) => {
    if (error instanceof Refused && error.gone) return null;
    throw error;
  });
}

/** @param {string} text */
function bytes(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/**
 * The runs of frames that a call changed; none where they were too many to list.
 * @param {string} api @param {string} seq
 */
export async function changed(api, seq) {
  return (await answered(await fetch(`${api}/events/${seq}`))).changed ?? [];
}
