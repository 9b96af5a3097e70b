// A shared worker: one stream for all pages of a session, and one for all of a lab. A browser has six connections for a site,
// and an open stream keeps one; without this, the seventh page would not even load.

import { LabSource } from "./lab-source.js";
import { Source } from "./source.js";

const MOST = 4; // streams at a time, so that the pages keep connections of their own

/** @typedef {{source: Source | LabSource, ports: Set<MessagePort>}} Followed */

/** By the address, the longest unasked-for first. @type {Map<string, Followed>} */
const followed = new Map();

addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  port.onmessage = ({ data }) => {
    leave(port);
    if (data.api) join(port, data.api, (tell) => new Source(data.api, data.after, tell), data.after);
    if (data.lab) join(port, data.lab, (tell) => new LabSource(data.lab, tell));
  };
});

/**
 * @param {MessagePort} port @param {string} api
 * @param {(tell: (message: object) => void) => Source | LabSource} open @param {number} [after]
 */
function join(port, api, open, after = 0) {
  const known = followed.get(api);
  if (known) {
    followed.delete(api);
    followed.set(api, known);
    known.ports.add(port);
    const { source } = known;
    if (source instanceof LabSource) {
      for (const lab of source.now.values()) port.postMessage({ lab });
      return;
    }
    port.postMessage({ state: source.state });
    // The rows between are not kept here.
    if (source.seq > after) port.postMessage({ news: { from: after + 1, to: source.seq, changed: null } });
    return;
  }
  const ports = new Set([port]);
  const source = open((message) => {
    for (const each of ports) each.postMessage(message);
  });
  followed.set(api, { source, ports });
  if (followed.size > MOST) {
    // A machine that nobody looks at can wait; who follows a presenter waits for nothing else.
    const [oldest, { ports: left }] = [...followed].find(([, { source }]) => !(source instanceof LabSource)) ?? [...followed][0];
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
