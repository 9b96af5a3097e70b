// The question before a class, as the lab's stream tells it. The server sends everything anew when the stream is opened again.

const AGAIN = 2000; // ms until a stream that was refused is asked for again, and as much again at most: not all at once

/**
 * @typedef {{id: string, state: string, round: number | null, asked: string, question: string, calls: string[], form: string,
 *   shape: Record<string, any>, choices: string[], named: boolean, right?: string, wrong?: Record<string, {say: string}>, after?: string, drift?: string}} Poll
 * @typedef {{poll: string, round: number, voted: number, members: number}} Voted
 * @typedef {{poll?: (poll: Poll | null) => void, voted?: (voted: Voted) => void, tally?: () => void, closed?: (closed: boolean) => void, live: (live: boolean) => void}} Heard
 */

/** @param {string} api of the lab @param {Heard} heard */
export function follow(api, heard) {
  const stream = new EventSource(`${api}/events/stream`);
  stream.onopen = () => heard.live(true);
  stream.addEventListener("poll", (event) => heard.poll?.(JSON.parse(event.data).poll));
  stream.addEventListener("voted", (event) => heard.voted?.(JSON.parse(event.data)));
  stream.addEventListener("tally", () => heard.tally?.());
  stream.addEventListener("closed", (event) => heard.closed?.(JSON.parse(event.data).closed !== null));
  stream.onerror = async () => {
    heard.live(false);
    if (stream.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    const status = await fetch(api).then((answer) => answer.status, () => 0);
    if (status !== 401 && status !== 404) setTimeout(() => follow(api, heard), AGAIN * (1 + Math.random()));
  };
}
