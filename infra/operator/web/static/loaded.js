// What a page asks beside the live view: asked when it is entered, and again every few seconds.

export class Loaded {
  constructor(context, question, everyMs, query = () => ({})) {
    Object.assign(this, {context, question, query, data: null, trouble: null, isLoaded: false});
    this.timer = setInterval(() => this.load(), everyMs);
    this.load();
  }

  async load() {
    if (this.isAsking || document.hidden) return;
    this.isAsking = true;
    try {
      this.data = await this.context.ask(this.question, this.query());
      this.trouble = null;
      this.isLoaded = true;
    } catch (error) {
      this.trouble = error.message;
    }
    this.isAsking = false;
    if (this.timer) this.context.redraw();
  }

  leave() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
