// One event stream of a lab: how it is, and what changes. The server sends everything anew when the stream is opened again.

const AGAIN = 5000; // ms until a stream that was refused is asked for again
const KINDS = ["view", "frozen", "closed", "locked", "checkpoint", "machines", "poll"];

/** How one thing of a lab is. @typedef {{kind: string, data: any}} LabNews */
/** @typedef {{lab: LabNews} | {state: import("./source.js").State}} Message */

export class LabSource {
  /** @param {string} api @param {(message: Message) => void} tell */
  constructor(api, tell) {
    this.api = api;
    this.tell = tell;
    /** What has been heard last, for pages that come later. @type {Map<string, LabNews>} */
    this.now = new Map();
    this.closed = false;
    this.stream = this.open();
  }

  open() {
    const stream = new EventSource(`${this.api}/events/stream`);
    for (const kind of KINDS) {
      stream.addEventListener(kind, (event) => {
        const lab = { kind, data: JSON.parse(event.data) };
        this.now.set(kind, lab);
        this.tell({ lab });
      });
    }
    stream.onerror = () => {
      if (stream.readyState === EventSource.CLOSED) this.refused(stream);
    };
    return stream;
  }

  /** Who is signed out, or in the lab no more, need not ask again. @param {EventSource} stream */
  async refused(stream) {
    const status = await fetch(this.api).then((response) => response.status, () => 0);
    if (stream !== this.stream || this.closed || status === 401 || status === 404) return;
    this.again = setTimeout(() => (this.stream = this.open()), AGAIN);
  }

  close() {
    this.closed = true;
    this.stream.close();
    clearTimeout(this.again);
  }
}
