// The wall in place: every few seconds what has changed, and only that, is asked for and put where it stands. Nothing moves
// unless somebody asks for another order, so that a tile that is being looked at, or has the focus, stays where it is.

import { all, maybe, one } from "./dom.js";
import { _, decimal, filled, ngettext } from "./text.js";
import { draw, words } from "./wallmap.js";

const EVERY = 3000; // ms between two looks
const STALE = 12_000; // ms without an answer until what is shown counts as old
const SAY = 10_000; // ms between two announcements
const TROUBLE = new Set(["blocked", "bug", "oom", "hang", "panic"]);
const WOKEN = "woken"; // in place of a verdict: what slept sleeps no more

/**
 * @typedef {{number: number, nickname?: string, session?: string, seq?: number, call?: string, verdict?: string, cause?: string, mistake?: string, facts?: Record<string, string | number>, time?: string,
 *   map?: string, used?: number, reached?: number, done?: number, said?: number, locked?: boolean, woken?: boolean}} Tile
 * @typedef {{version: string, all: boolean, members: number, waiting: number, newest: string[], active: number, frozen: boolean,
 *   closed: boolean, view: string | null, checkpoints: {id: string, title: string, reached: number, done: number, said: number}[], tiles: Tile[], gone: number[]}} News
 */

const wall = one(document, "#wall", HTMLElement);
const tiles = one(document, "#tiles", HTMLElement);
const blank = one(document, "#tile", HTMLTemplateElement);
const live = one(document, "#wall-live", HTMLElement);
const reload = one(live, "a", HTMLAnchorElement);
const said = one(document, "#wall-said", HTMLElement);

/** @type {Map<number, HTMLElement>} */
const known = new Map(all(tiles, "[data-number]", HTMLElement).map((tile) => [Number(tile.dataset.number), tile]));
/** What a verdict means, in words; nothing of one that is as it should be. @type {Record<string, string>} */
const sentences = JSON.parse(wall.dataset.sentences ?? "{}");
/** @type {Record<string, string>} */
const mistakes = JSON.parse(wall.dataset.mistakes ?? "{}");
const frames = new Set((wall.dataset.frames ?? "").split(" "));
let version = wall.dataset.version ?? "";
let marks = Number(wall.dataset.marks);
let sort = wall.dataset.sort ?? "number";
let answered = performance.now();
let quiet = 0;
let troubled = Number(one(document, "#wall-troubled", HTMLElement).textContent);
/** @type {number | undefined} */
let timer;
/** @type {Promise<void> | undefined} */
let looking;

// -- looking ----------------------------------------------------------------------------------------------------------

/** Ask for what has changed; of several who want it at once, all have the same answer. */
function look() {
  looking ??= asked().finally(() => (looking = undefined));
  return looking;
}

async function asked() {
  clearTimeout(timer);
  try {
    const answer = await fetch(`${wall.dataset.api}${version && `?after=${version}`}`, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      show(await answer.json());
      answered = performance.now();
    }
  } catch {
    // The server is not there for now; it is asked again.
  }
  is(performance.now() - answered < STALE ? "live" : "stale");
  if (!document.hidden) timer = setTimeout(look, EVERY);
}

/** @param {"live" | "stale"} state */
function is(state) {
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  live.replaceChildren(state === "live" ? _("live") : _("stale"), ...(state === "stale" ? [" ", reload] : []));
}

/** @param {News} news */
function show(news) {
  const those = new Set(news.tiles.map(({ number }) => number));
  const gone = news.all ? [...known.keys()].filter((number) => !those.has(number)) : news.gone;
  for (const number of gone) {
    known.get(number)?.remove();
    known.delete(number);
  }
  const titles = all(document, "[data-mark]", HTMLElement).map((mark) => mark.dataset.mark).join();
  if (news.checkpoints.map(({ id }) => id).join() !== titles) {
    location.reload(); // other checkpoints than there were: every tile counts otherwise
    return;
  }
  marks = news.checkpoints.length;
  for (const tile of news.tiles) put(tile);
  for (const entry of all(wall, ".legend [data-state]", HTMLElement)) {
    entry.hidden = !wall.querySelector(`.wall-map .cell-${entry.dataset.state}`);
  }
  // The page itself had a part of the tiles: the others have their places among them.
  if (!version) order(sort);
  head(news);
  version = news.version;
}

// -- what is seen -----------------------------------------------------------------------------------------------------

/** @param {string} id @param {number} number */
function count(id, number) {
  text(one(document, `#${id}`, HTMLElement), decimal(number));
}

/** Only what differs is touched. @param {Element} node @param {string} words */
function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/** @param {string} id @param {boolean} shown */
function shown(id, shown) {
  one(document, `#${id}`, HTMLElement).hidden = !shown;
}

/** @param {News} news */
function head(news) {
  count("wall-members", news.members);
  text(one(document, "#wall-waiting", HTMLElement), waitingSaid(news.waiting, news.newest));
  shown("wall-waiting", news.waiting > 0);
  count("wall-active", news.active);
  const now = [...known.values()].filter((tile) => tile.dataset.trouble === "1").length;
  count("wall-troubled", now);
  if (now > troubled && performance.now() > quiet) {
    quiet = performance.now() + SAY;
    said.textContent = _("%(num)s in trouble", { num: decimal(now) });
  }
  troubled = now;
  shown("wall-empty", !known.size);
  shown("wall-closed", news.closed);
  shown("wall-frozen", news.frozen);
  shown("wall-thaw", news.frozen);
  shown("wall-still", !news.frozen && !news.closed);
  shown("wall-view", news.view !== null);
  const view = one(document, "#wall-view", HTMLAnchorElement);
  if (news.view !== null) view.href = news.view;
  for (const mark of news.checkpoints) {
    const row = maybe(document, `[data-mark="${mark.id}"]`, HTMLElement);
    if (!row) continue;
    const bar = one(row, "progress", HTMLProgressElement);
    bar.max = news.members || 1;
    bar.value = mark.reached;
    text(one(row, "span", HTMLElement), of(mark.reached, news.members));
    text(one(row, "[data-ways]", HTMLElement), ways(mark.reached, mark.done, mark.said));
  }
}

/** @param {number} count @param {string[]} newest */
function waitingSaid(count, newest) {
  const names = newest.join(", ") + (count > newest.length ? " …" : "");
  return ngettext("%(num)s waits: %(names)s", "%(num)s wait: %(names)s", count, { names });
}

/** As app/web/wording.py has it. @param {number} reached @param {number} done @param {number} said */
function ways(reached, done, said) {
  const caught = reached - done - said;
  return [
    done && _("%(num)s done", { num: decimal(done) }),
    said && _("%(num)s said", { num: decimal(said) }),
    caught && _("%(num)s caught up", { num: decimal(caught) }),
  ].filter(Boolean).join(" · ");
}

/** As app/web/wall.py has it. @param {number} reached @param {number} done */
function progress(reached, done) {
  const other = reached - done;
  const figures = [done ? `✓${decimal(done)}` : "", other ? `·${decimal(other)}` : done ? "" : decimal(0)];
  return `${figures.filter(Boolean).join(" ")}/${decimal(marks)}`;
}

/** @param {number} part @param {number} whole */
function of(part, whole) {
  return _("%(part)s of %(whole)s", { part: decimal(part), whole: decimal(whole) });
}

/** What was wrong with the last call, in the language of the page. @param {Tile} tile */
function cause({ mistake = "", facts = {} }) {
  const shown = (/** @type {[string, string | number]} */ [name, value]) => [
    name,
    typeof value === "string" ? value : frames.has(name) ? `0x${value.toString(16)}` : decimal(value),
  ];
  return mistakes[mistake] && filled(mistakes[mistake], Object.fromEntries(Object.entries(facts).map(shown)));
}

/** Who is new stands at the end until the order is asked for again. @param {Tile} tile */
function put(tile) {
  let box = known.get(tile.number);
  if (!box) {
    box = /** @type {HTMLElement} */ (one(blank.content, "[data-number]", HTMLElement).cloneNode(true));
    box.dataset.number = String(tile.number);
    text(one(box, ".wall-number, td", HTMLElement), String(tile.number));
    known.set(tile.number, box);
    tiles.append(box);
  }
  const { seq = 0, reached = 0, done = 0, time = "" } = tile;
  const verdict = tile.woken ? WOKEN : (tile.verdict ?? "");
  box.dataset.seq = String(seq);
  box.dataset.last = time;
  box.dataset.progress = String(reached);
  box.dataset.trouble = TROUBLE.has(verdict) ? "1" : "0";
  if (tile.nickname !== undefined) {
    box.dataset.nickname = tile.nickname;
    const link = part(box, "nickname");
    if (link) text(link, tile.nickname);
    if (tile.session === undefined) link?.removeAttribute("href");
    else link?.setAttribute("href", `/sessions/${tile.session}`);
  }
  const idle = part(box, "nickname")?.hasAttribute("href") ? _("no call yet") : _("no machine yet");
  const call = tile.call ?? idle;
  say(box, "call", call);
  part(box, "call")?.setAttribute("title", call);
  say(box, "verdict", verdict);
  part(box, "verdict")?.setAttribute("class", `verdict${verdict ? ` verdict-${verdict}` : ""}`);
  say(box, "sentence", cause(tile) ?? sentences[verdict] ?? "");
  say(box, "clock", time.slice(11, 19));
  say(box, "seq", `#${decimal(seq)}`);
  say(box, "progress", progress(reached, done));
  part(box, "progress")?.setAttribute("title", ways(reached, done, tile.said ?? 0) || _("Checkpoints"));
  const locked = part(box, "locked");
  if (locked instanceof HTMLElement) locked.hidden = !tile.locked;
  const map = box.querySelector("svg.wall-map");
  const spoken = tile.map === undefined ? undefined : words(tile.map, tile.used ?? 0);
  const none = part(box, "nickname")?.hasAttribute("href") ? _("not seen yet") : _("no machine yet");
  say(box, "words", spoken ?? none);
  if (map instanceof SVGElement) {
    map.setAttribute("aria-label", spoken ?? none);
    if (tile.map !== undefined && map.dataset.cells !== tile.map) draw(map, (map.dataset.cells = tile.map));
  }
}

/** @param {HTMLElement} box @param {string} name */
function part(box, name) {
  return box.querySelector(`[data-part="${name}"]`);
}

/** @param {HTMLElement} box @param {string} name @param {string} words */
function say(box, name, words) {
  const node = part(box, name);
  if (node) text(node, words);
}

// -- orders -----------------------------------------------------------------------------------------------------------

/** Each as app/web/wall.py has it: what is equal stands by number. @type {Record<string, {largest: boolean, by: (tile: HTMLElement) => string | number}>} */
const orders = {
  number: { largest: false, by: ({ dataset }) => Number(dataset.number) },
  nickname: { largest: false, by: ({ dataset }) => (dataset.nickname ?? "").toLowerCase() },
  last: { largest: true, by: ({ dataset }) => dataset.last ?? "" },
  seq: { largest: true, by: ({ dataset }) => Number(dataset.seq) },
  progress: { largest: false, by: ({ dataset }) => Number(dataset.progress) },
  trouble: { largest: true, by: ({ dataset }) => Number(dataset.trouble) },
};

/** @param {string} wanted */
function order(wanted) {
  const { largest, by } = orders[wanted.replace("-", "")];
  const way = largest === wanted.startsWith("-") ? 1 : -1;
  const sorted = [...known.values()].sort((a, b) => {
    const [one, other] = [by(a), by(b)];
    return one === other ? orders.number.by(a) < orders.number.by(b) ? -1 : 1 : one < other ? -way : way;
  });
  const focused = document.activeElement;
  tiles.append(...sorted);
  if (focused instanceof HTMLElement && tiles.contains(focused)) focused.focus({ preventScroll: true });
  sort = wanted;
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-sort]") : null;
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  const name = link.dataset.sort ?? "number";
  order(sort === name ? `-${name}` : name);
  for (const other of all(document, "a[data-sort]", HTMLAnchorElement)) {
    if (other === link) other.setAttribute("aria-current", "true");
    else other.removeAttribute("aria-current");
    const to = new URL(other.href);
    to.searchParams.set("sort", sort === other.dataset.sort ? `-${sort}` : (other.dataset.sort ?? "number"));
    other.href = to.pathname + to.search;
  }
  const here = new URL(location.href);
  here.searchParams.set("sort", sort);
  history.replaceState(null, "", here);
  reload.href = here.pathname + here.search;
  const other = one(document, "a.wall-other", HTMLAnchorElement);
  const twin = new URL(other.href);
  twin.searchParams.set("sort", sort);
  other.href = twin.pathname + twin.search;
});

// -- keys -------------------------------------------------------------------------------------------------------------

// From tile to tile, as on the frame map: a row has as many as the width gives it.
tiles.addEventListener("keydown", (event) => {
  const links = all(tiles, "a[href]", HTMLAnchorElement);
  const at = links.findIndex((link) => link === document.activeElement);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const top = (/** @type {HTMLElement} */ link) => link.closest("[data-number]")?.getBoundingClientRect().top;
  const columns = Math.max(1, links.findIndex((link) => top(link) !== top(links[0])));
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: links.length - 1 - at }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  links[at + by]?.focus();
});

// -- freezing ---------------------------------------------------------------------------------------------------------

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.id !== "wall-freeze") return;
  event.preventDefault();
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form, event.submitter)) body.append(name, String(value));
  const done = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (!done) {
    is("stale"); // a page that cannot be fetched is no reason to leave the one that there is
    said.textContent = _("The server does not answer.");
    return;
  }
  if (done.status >= 400) {
    location.reload();
    return;
  }
  await looking; // which may have begun before
  await look();
  const next = maybe(form, "button:not([hidden])", HTMLButtonElement);
  next?.focus({ preventScroll: true });
});

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
look().then(() => (document.documentElement.dataset.ready = ""));
