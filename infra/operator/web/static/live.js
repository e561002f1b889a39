// The present as the page's process tells it: a whole view first, then what changes.

const SILENT_MS = 2000; // The page says something each second.
const LONGEST_MS = 5000;

function changed(value, change) {
  if (!change) return value;
  if ("=" in change) return change["="];
  const after = {...value};
  for (const key of change["-"] ?? []) delete after[key];
  for (const [key, inner] of Object.entries(change["+"] ?? {})) after[key] = changed(after[key], inner);
  return after;
}

export class Live {
  constructor(run, onNews) {
    this.run = run;
    this.onNews = onNews;
    this.view = {};
    this.heardMs = null; // machine clock of this browser
    this.isOpen = false;
    this.pauseMs = 300;
    this.connect();
    setInterval(() => this.look(), 500);
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live?run=${encodeURIComponent(this.run)}`);
    this.socket = socket;
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      if (event.code === 4401) location.assign("/login");
      this.isOpen = false;
      this.onNews();
      setTimeout(() => this.connect(), this.pauseMs);
      this.pauseMs = Math.min(LONGEST_MS, this.pauseMs * 1.5);
    };
  }

  take(message) {
    this.heardMs = Date.now();
    this.pauseMs = 300;
    const wasOpen = this.isOpen;
    this.isOpen = true;
    if ("change" in message) this.view = changed(message.is_whole ? {} : this.view, message.change);
    if ("change" in message || !wasOpen) this.onNews();
  }

  // A page that hangs closes nothing: what is silent for too long is given up.
  look() {
    if (this.isOpen && Date.now() - this.heardMs > SILENT_MS) {
      this.isOpen = false;
      const silent = this.socket;
      this.socket = null;
      silent.close();
      this.onNews();
      this.connect();
    }
  }

  get trouble() {
    if (!this.isOpen) return this.heardMs === null ? "connecting to the page …" : "the page does not answer";
    return this.view.is_alive ? null : `the system: ${this.view.trouble ?? "not asked yet"}`;
  }

  get answeredMs() {
    return this.view.answered_ms ?? null;
  }
}

export async function ask(question, run, query = {}) {
  const answer = await fetch(`/api/${question}?${new URLSearchParams({run, ...query})}`).catch(() => { throw new Error("the page does not answer"); });
  if (answer.status === 401) location.assign("/login");
  const body = await answer.json().catch(() => ({title: `the page answers with HTTP ${answer.status}; its log is web.log in the run directory`}));
  if (!answer.ok) throw new Error(body.title);
  return body;
}
