// The causal chain as a sequence picture: who did what to whom, when, and how long each hop took.

import {h} from "./dom.js";

const LANES = ["exchange", "asset", "portfolio", "execution"];
const HOPS = {
  candle: ["exchange", "asset"], indicators: ["asset", "asset"], signal: ["asset", "asset"], wish: ["asset", "portfolio"],
  grant: ["portfolio", "asset"], refusal: ["portfolio", "asset"], order: ["execution", "exchange"], answer: ["exchange", "execution"],
  ended: ["exchange", "execution"], fill: ["exchange", "execution"], stop: ["execution", "exchange"], exit: ["asset", "execution"], trade: ["execution", "portfolio"],
};
const WIDTH = 92, HEIGHT = 34;

let shown = null; // {id, found, trouble}

export function clear() { shown = null; }

function shut(context) {
  shown = null;
  context.redraw();
}

export async function explain(context, id) {
  shown = {id, found: null, trouble: null};
  document.onkeydown = (event) => { if (event.key === "Escape" && shown) shut(context); };
  context.redraw();
  document.getElementById("why")?.scrollIntoView({block: "nearest"});
  const mine = shown;
  try {
    mine.found = await context.ask("why", {id});
  } catch (error) {
    mine.trouble = error.message;
  }
  context.redraw();
}

const gap = (ms) => (ms >= 60000 ? `+${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s` : ms >= 1000 ? `+${(ms / 1000).toFixed(2)} s` : `+${ms} ms`);
const clock = (ms) => new Date(ms).toISOString().slice(11, 23);

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function arrow(step) {
  const hop = HOPS[step.name];
  const x = (lane) => WIDTH / 2 + LANES.indexOf(lane) * WIDTH;
  const picture = svg("svg", {viewBox: `0 0 ${WIDTH * LANES.length} ${HEIGHT}`, "aria-hidden": "true", class: "hop", preserveAspectRatio: "none"});
  for (const lane of LANES) picture.append(svg("line", {x1: x(lane), x2: x(lane), y1: 0, y2: HEIGHT, class: "lane"}));
  if (hop) {
    const [from, to] = hop.map(x), y = HEIGHT / 2, way = Math.sign(to - from);
    picture.append(way
      ? svg("path", {d: `M${from} ${y}H${to - way * 2}m${-way * 8} -5l${way * 8} 5l${-way * 8} 5`, class: "arrow"})
      : svg("circle", {cx: from, cy: y, r: 5, class: "own"}));
  }
  return picture;
}

export function whyCard(context) {
  if (!shown) return null;
  const close = h("button", {type: "button", onclick: () => shut(context)}, "Close this");
  if (!shown.found) return h("section", {class: "card", id: "why"}, h("h2", {}, `Why ${shown.id}`), h("p", {class: shown.trouble ? "alarm" : "empty"}, shown.trouble ?? "Looking it up …"), close);
  const steps = shown.found.steps;
  let before = null;
  const rows = steps.map((step) => {
    const told = step.name && before !== null ? gap(Math.max(0, step.at_ms - before)) : "";
    if (step.name) before = step.at_ms;
    return h("li", {class: step.name ? "" : "detail"}, step.name ? arrow(step) : h("span", {class: "hop"}),
      h("span", {class: "number when"}, step.name ? clock(step.at_ms) : ""), h("span", {class: "number gap"}, told),
      h("span", {}, step.name && h("b", {}, `${step.name} `), step.text));
  });
  return h("section", {class: "card", id: "why"}, h("h2", {}, shown.found.title),
    h("div", {class: "lanes", "aria-hidden": "true"}, LANES.map((lane) => h("span", {}, lane))),
    h("ol", {class: "sequence"}, rows), shown.found.missing.map((text) => h("p", {class: "empty"}, text)), close);
}
