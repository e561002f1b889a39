// Orders, those with an unknown end first, and what was wished, approved and denied.

import {card, h, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {clear, explain, whyCard} from "./why.js";

let loaded = null;
export function enter(context) { loaded = new Loaded(context, "orders", 3000); clear(); }
export function leave() { loaded?.leave(); loaded = null; }

const why = (context, id) => h("button", {type: "button", onclick: () => explain(context, id), "aria-label": `Why ${id}`}, "Why?");

export function render(context) {
  if (!loaded?.data) return [card("Orders", h("p", {class: loaded?.trouble ? "alarm" : "empty"}, loaded?.trouble ?? "Loading …"))];
  const {orders, decisions} = loaded.data;
  return [
    h("h1", {class: "hidden"}, "Orders and decisions"),
    whyCard(context) ?? h("section", {id: "why", class: "none"}),
    card("Orders", table([
      ["Sent", (r) => time(r.time, {seconds: true})], ["Order", (r) => r.id], ["Side", (r) => r.side], ["Qty", (r) => r.qty, "number"], ["Filled", (r) => r.filled, "number"],
      ["Purpose", (r) => [r.purpose, r.reason && h("small", {}, ` ${r.reason}`)]], ["Stop", (r) => r.stop || "–", "number"], ["Target", (r) => r.target || "–", "number"],
      ["State", (r) => h("span", {class: r.is_unknown ? "alarm" : ""}, r.status, r.detail && h("small", {}, ` ${r.detail}`))], ["", (r) => why(context, r.id)],
    ], orders, {caption: "Orders"})),
    card("Wishes and decisions", table([
      ["At", (r) => time(r.time)], ["Asset", (r) => r.asset], ["Decision", (r) => [r.what, r.figures && h("small", {}, ` ${r.figures}`)]],
      ["Limits kept", (r) => h("details", {}, h("summary", {}, `${r.judged.length} limits`), h("ul", {}, r.judged.map((text) => h("li", {}, text))))], ["", (r) => why(context, r.why)],
    ], decisions, {caption: "Decisions"})),
  ];
}
