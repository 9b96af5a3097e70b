// A shared worker: one stream for all pages of a session. A browser has six connections for a site, and an open stream
// keeps one; without this, the seventh page would not even load.

import { Source } from "./source.js";

const MOST = 4; // streams at a time, so that the pages keep connections of their own

/** By the session's address, the longest unasked-for first. @type {Map<string, {source: Source, ports: Set<MessagePort>}>} */
const followed = new Map();

addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  port.onmessage = ({ data }) => {
    leave(port);
    if (data.api) join(port, data.api, data.after);
  };
});

/** @param {MessagePort} port @param {string} api @param {number} after */
function join(port, api, after) {
  const known = followed.get(api);
  if (known) {
    followed.delete(api);
    followed.set(api, known);
    known.ports.add(port);
    port.postMessage({ state: known.source.state });
    // The rows between are not kept here.
    if (known.source.seq > after) port.postMessage({ news: { from: after + 1, to: known.source.seq, changed: null } });
    return;
  }
  const ports = new Set([port]);
  const source = new Source(api, after, (message) => {
    for (const each of ports) each.postMessage(message);
  });
  followed.set(api, { source, ports });
  if (followed.size > MOST) {
    const [[oldest, { ports: left }]] = followed;
    close(oldest);
    for (const each of left) each.postMessage({ state: "stale" });
  }
}

/** @param {MessagePort} port */
function leave(port) {
  for (const [api, { ports }] of followed) if (ports.delete(port) && !ports.size) close(api);
}

/** @param {string} api */
function close(api) {
  followed.get(api)?.source.close();
  followed.delete(api);
}
