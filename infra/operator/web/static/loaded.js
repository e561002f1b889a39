// What a page asks beside the live view: asked when it is entered, and again every few seconds.

import {h} from "./dom.js";

export class Loaded {
  constructor(context, question, everyMs, query = () => ({})) {
    Object.assign(this, {context, question, query, data: null, trouble: null, isLoaded: false});
    this.timer = setInterval(() => this.load(), everyMs);
    this.load();
  }

  async load() {
    if (this.isAsking || document.hidden) return;
    this.isAsking = true;
    this.isOld = false;
    try {
      this.data = await this.context.ask(this.question, this.query());
      this.trouble = null;
      this.isLoaded = true;
    } catch (error) {
      this.trouble = error.message;
    }
    this.isAsking = false;
    if (this.timer && this.isOld) this.load();
    if (this.timer) this.context.redraw();
  }

  // The question is another one now: an answer that is on its way is too old.
  again() {
    this.isOld = true;
    this.load();
  }

  // What is shown where there is no answer yet, or where the newest question had none; null: all is well.
  note() {
    if (this.trouble) return h("p", {class: "alarm", role: "status"}, this.data ? `Not fresh: ${this.trouble}` : this.trouble);
    return this.data || this.isLoaded ? null : h("p", {class: "empty"}, "Loading …");
  }

  leave() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
