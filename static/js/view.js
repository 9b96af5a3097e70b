// What the machine page shows: an address of it is fetched as a page, and the parts that differ are put in place.

import { changed } from "./api.js";
import { maybe, one } from "./dom.js";
import { framePointed } from "./exercise.js";
import { Live } from "./live.js";
import { FrameMap } from "./map.js";
import { called } from "./refusal.js";
import { load, parse, swap } from "./regions.js";
import { look } from "./sleeping.js";
import { passing, Unreached } from "./unreached.js";

/** @typedef {import("./frames.js").Run} Run */

const STACKED = "(max-width: 719px)";
const LONG = 300; // ms until something that is on its way is shown to be

/** The row that a page's banner shows. @param {Document} page */
const bannerSeq = (page) => one(page, "#outcome", HTMLElement).dataset.seq;

/** Which view its centre shows. @param {Document} page */
const centre = (page) => one(page, ".center", HTMLElement).dataset.view;

export class View {
  /** @param {HTMLElement} machine */
  constructor(machine) {
    this.api = machine.dataset.api ?? "";
    this.page = machine.dataset.page ?? "";
    const picture = maybe(document, "#map-picture", HTMLElement);
    /** The map, where the page has one. */
    this.map = picture ? new FrameMap(picture, this.api) : null;
    /** The row whose changes the map outlines. @type {string | undefined} */
    this.outlined = undefined;
    /** How many times a person has asked for something, and how much of that is on its way. */
    this.asked = 0;
    this.going = 0;
    /** The view that is shown or on its way, as the address has it. */
    this.query = location.search;
    /** Parts that must not be exchanged now: ids. @type {Set<string>} */
    this.held = new Set();
    /** Called when another address is shown. */
    this.moved = () => {};
    this.unreached = new Unreached(() => this.again());
    this.live = new Live(
      this.api,
      this.head,
      (runs) => this.past || this.map?.apply(runs),
      () => this.refresh(),
    );
    this.ready = this.map ? this.follow(this.map) : Promise.resolve();
    this.outlined = bannerSeq(document);
  }

  /** Let the map say what is looked at. @param {FrameMap} map */
  follow(map) {
    map.onInspect = async (pfn) => {
      const answered = framePointed(pfn);
      await this.show(this.address({ pfn: `0x${pfn.toString(16)}`, obj: null }), { part: maybe(document, "#inspector", HTMLElement) });
      // Where everything stands below each other, what was asked for would be far below.
      if (matchMedia(STACKED).matches && !answered) one(document, "#inspector", HTMLElement).scrollIntoView({ block: "nearest" });
    };
    map.onWindow = (window) => this.show(this.address(window), { push: false });
    return map.open(this.runs(bannerSeq(document)));
  }

  /** The view that the address holds, with some parts changed; null takes a part out. @param {Record<string, string | number | null>} changes */
  address(changes) {
    const view = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) view.delete(name);
      else view.set(name, String(value));
    }
    return `${this.page}${view.size ? `?${view}` : ""}`;
  }

  /** The last row that the page knows of. */
  get head() {
    return Number(one(document, "#head-seq", HTMLElement).dataset.seq);
  }

  /** Whether a moment is shown that is over. */
  get past() {
    return document.body.classList.contains("past");
  }

  /** What changed, where another row is to be outlined than before. @param {string | undefined} seq @returns {Promise<Run[] | undefined>} */
  async runs(seq) {
    if (seq === this.outlined) return undefined;
    return seq === undefined ? [] : changed(this.api, seq);
  }

  /**
   * Do what a person asks for: it goes before what others have done meanwhile.
   * @template T
   * @param {() => Promise<T>} act
   */
  async first(act) {
    this.asked++;
    this.going++;
    const long = setTimeout(() => waiting(true), LONG);
    try {
      return await act();
    } finally {
      clearTimeout(long);
      this.going--;
      if (!this.going) waiting(false);
    }
  }

  /**
   * Show an address of this machine without leaving the page. The address is there first: what is asked for meanwhile
   * builds on it. Where it cannot be fetched, that is said in the part of the page in which it was asked for.
   * @param {string} to @param {{push?: boolean, keep?: Set<string>, part?: Element | null}} how
   */
  show(to, { push = true, keep, part } = {}) {
    return this.first(() => {
      if (push) history.pushState(null, "", to);
      else history.replaceState(null, "", to);
      this.query = location.search;
      this.moved();
      return this.reach(to, keep, part);
    });
  }

  /**
   * Fetch a page of this machine and put its parts in place. Of several quick steps only the last is shown.
   * @param {string} to @param {Set<string>} [keep] @param {Element | null} [part] where it is said that it cannot be fetched
   */
  async reach(to, keep, part) {
    const asked = this.asked;
    try {
      await this.bring(await load(to), keep, () => asked === this.asked);
    } catch (error) {
      if (asked !== this.asked) return;
      if (passing(error)) this.unreached.say(part?.isConnected ? part : one(document, "#outcome", HTMLElement), error);
      else location.reload(); // the address is the new one already
    }
  }

  /**
   * Send a form, and show the page that it leads to; a refusal is a page of the same machine too.
   * @param {HTMLFormElement} form @param {HTMLElement | null} submitter
   */
  send(form, submitter) {
    return this.first(async () => {
      const body = new URLSearchParams();
      for (const [name, value] of new FormData(form, submitter)) body.append(name, String(value));
      const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
      await this.bring(await parse(response));
      if (response.redirected) history.pushState(null, "", response.url);
      this.query = location.search;
      this.moved();
    });
  }

  /** The same address anew, forms too: what may be called has changed. */
  again() {
    return this.first(() => this.reach(location.href, undefined, this.unreached.line?.parentElement));
  }

  /**
   * Put the parts of a page in place. Nothing happens where, when all has come, it is not wanted any longer.
   * @param {Document} fresh @param {Set<string>} [keep] @param {() => boolean} wanted
   */
  async bring(fresh, keep, wanted = () => true) {
    const picture = maybe(fresh, "#map-picture", HTMLElement);
    const seq = bannerSeq(fresh);
    const map = this.map && picture ? this.map : null;
    const [cells, frames] = await Promise.all([map && picture ? map.fetch(picture) : null, this.runs(seq)]);
    if (!wanted()) return false;
    // Another view of the centre has other parts: there is nothing here to put them in place of.
    if (centre(fresh) !== centre(document)) {
      location.reload();
      return false;
    }
    this.unreached.over();
    this.outlined = seq;
    const was = this.past;
    document.body.className = fresh.body.className;
    // A form that was kept out of the way of live news must not be kept from the past, or back from it.
    swap(fresh, new Set([...this.held, ...(was === this.past && keep ? keep : [])]));
    this.enable(fresh);
    if (map && picture && cells) map.show(picture, cells, frames);
    this.live.shows(this.head);
    return true;
  }

  /** The console is not exchanged, so that what is being typed stays. @param {Document} fresh */
  enable(fresh) {
    const [line, other] = [document, fresh].map((page) => one(page, "#line", HTMLInputElement));
    line.disabled = other.disabled;
    line.placeholder = other.placeholder;
    const [who, now] = [document, fresh].map((page) => maybe(page, "#runs-as", HTMLElement));
    if (who && now) who.replaceWith(document.adoptNode(now));
    const button = maybe(document, "[data-console] button", HTMLButtonElement);
    if (button) button.disabled = other.disabled;
  }

  /** Others have called: the same view, as it is now. Their outcomes are not read out one by one. */
  async refresh() {
    if (this.going) return false;
    const before = this.asked;
    const fresh = await load(location.href);
    fresh.querySelector("#outcome .answer")?.setAttribute("aria-live", "off");
    called();
    look(this.api).catch(() => {}); // the next news asks again
    return this.bring(fresh, new Set(["call"]), () => this.asked === before && !this.going);
  }
}

/** A call of 100,000 pages takes its time: who pressed shall see that it is under way. @param {boolean} on */
function waiting(on) {
  one(document, "#machine", HTMLElement).setAttribute("aria-busy", String(on));
}
