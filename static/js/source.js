// One event stream of a session. Rows become news: what they did together, as often as the server sends.

const COLLECT = 40; // ms; what the server sends at once comes as one event after the other
const AGAIN = 5000; // ms until a stream that was refused is asked for again
const MOST = 4000; // runs in one piece of news

/**
 * Rows from one seq to another. changed: what they did to frames, in order; null where that is too much to say.
 * @typedef {{from: number, to: number, changed: [number, number, string][] | null}} News
 * @typedef {"live" | "reconnecting" | "stale" | "out" | "gone"} State
 * @typedef {{news: News} | {state: State}} Message
 */

export class Source {
  /** @param {string} api @param {number} seq what is known already @param {(message: Message) => void} tell */
  constructor(api, seq, tell) {
    this.api = api;
    this.seq = seq;
    this.tell = tell;
    this.closed = false;
    /** @type {State} */
    this.state = "reconnecting";
    /** @type {News | null} */
    this.news = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.stream = this.open();
  }

  open() {
    const stream = new EventSource(`${this.api}/events/stream?after=${this.seq}`);
    stream.onopen = () => this.is("live");
    stream.onmessage = (event) => {
      const { seq, changed } = JSON.parse(event.data);
      this.heard(seq, changed);
    };
    stream.addEventListener("resync", (event) => this.heard(JSON.parse(event.data).seq, null));
    stream.onerror = () => {
      this.is("reconnecting");
      // The browser connects again by itself, except where it was refused: too many streams, no such session.
      if (stream.readyState === EventSource.CLOSED) this.refused(stream);
    };
    return stream;
  }

  /** A stream does not tell why it was refused; who is signed out, or whose machine is gone, need not ask again. @param {EventSource} stream */
  async refused(stream) {
    const status = await fetch(this.api).then((response) => response.status, () => 0);
    if (stream !== this.stream || this.closed) return;
    if (status === 401) this.is("out");
    else if (status === 404) this.is("gone");
    else this.again = setTimeout(() => (this.stream = this.open()), AGAIN);
  }

  close() {
    this.closed = true;
    this.stream.close();
    clearTimeout(this.again);
    clearTimeout(this.timer);
  }

  /** @param {State} state */
  is(state) {
    if (state === this.state) return;
    this.state = state;
    this.tell({ state });
  }

  /** @param {number} seq @param {[number, number, string][] | null} changed */
  heard(seq, changed) {
    this.news ??= { from: this.seq + 1, to: seq, changed: [] };
    this.news.to = this.seq = seq;
    if (changed === null || this.news.changed === null || this.news.changed.length > MOST) this.news.changed = null;
    else this.news.changed.push(...changed);
    this.timer ??= setTimeout(() => {
      const { news } = this;
      this.timer = undefined;
      this.news = null;
      if (news) this.tell({ news });
    }, COLLECT);
  }
}
