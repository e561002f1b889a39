// Orders, those with an unknown end first, and entry signals, approvals and denials.

import {card, h, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {clear, explain, whyCard} from "./why.js";

let loaded = null;
export function enter(context) { loaded = new Loaded(context, "orders", 3000); clear(); }
export function leave() { loaded?.leave(); loaded = null; }

const why = (context, id) => h("button", {type: "button", onclick: () => explain(context, id), "aria-label": `Why ${id}`}, "Why?");

// The figures of each limit that was kept, and of the one that was not.
function limits(row) {
  const kept = row.judged.map((text) => h("li", {}, "✓ ", text));
  const broken = row.is_denied && h("li", {class: "alarm"}, "✗ ", `${row.what.replace("denied: ", "")}: ${row.figures}`);
  return h("details", {}, h("summary", {}, row.is_denied ? `${kept.length} passed, 1 failed` : `${kept.length} kept`), h("ul", {class: "limits"}, kept, broken));
}

export function render(context) {
  if (!loaded?.data) return [card("Orders", loaded?.note())];
  const {orders, decisions} = loaded.data, unknown = orders.filter((r) => r.is_unknown).length;
  return [
    h("h1", {class: "hidden"}, "Orders and decisions"),
    loaded.note(),
    whyCard(context) ?? h("section", {id: "why", class: "none"}),
    card("Orders", unknown ? h("p", {class: "alarm"}, `${unknown} with an unknown outcome, shown first: the exchange has not confirmed yet whether they were accepted.`) : null, table([
      ["Sent", (r) => time(r.time, {seconds: true})], ["Asset", (r) => r.asset], ["Order", (r) => r.id, "wide"], ["Side", (r) => r.side], ["Qty", (r) => r.qty, "number"], ["Filled", (r) => [r.filled, r.fill_price && h("small", {class: "below"}, `at ${r.fill_price}`)], "number"],
      ["Purpose", (r) => [r.purpose, r.reason && h("small", {}, ` ${r.reason}`)]], ["Stop, target", (r) => (r.stop ? [r.stop, r.target && h("span", {class: "below"}, r.target)] : "–"), "number"],
      ["State", (r) => h("span", {class: r.is_unknown ? "alarm" : ""}, r.status, r.detail && h("small", {}, ` ${r.detail}`))], ["", (r) => why(context, r.id)],
    ], orders, {caption: "Orders", empty: "No orders yet.", rowId: (r) => `order-${r.id}`})),
    card("Entry signals and decisions", table([
      ["At", (r) => time(r.time)], ["Asset", (r) => r.asset], ["Decision", (r) => [h("span", {class: r.is_denied ? "loss" : ""}, r.what), r.figures && h("small", {class: "below"}, r.figures)], "wide"],
      ["Limits", limits, "wide"], ["", (r) => why(context, r.why)],
    ], decisions, {caption: "Decisions", empty: "No decisions yet.", rowId: (r) => `decision-${r.why}-${r.is_denied}`})),
  ].filter(Boolean);
}
