// Every decision, order, command and changed setting; and who used this page.

import {card, choice, h, input, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";

const DAY_MS = 86400000;
let audit = null, accesses = null;
const filters = {kind: "", asset: "", by: "", words: "", from: "", to: ""}, used = {who: "", words: ""};
export function enter(context) { audit = new Loaded(context, "audit", 5000, query); accesses = new Loaded(context, "accesses", 5000); }
export function leave() { audit?.leave(); accesses?.leave(); audit = accesses = null; }

function query() {
  const {from, to, ...others} = filters;
  return {...others, from_ms: from ? Date.parse(from) : "", to_ms: to ? Date.parse(to) + DAY_MS : ""};
}

function trail(context) {
  const found = audit?.data;
  const change = (name) => (value) => { filters[name] = value; audit.again(); context.redraw(); };
  return card("Audit trail, newest first",
    h("div", {class: "filters"},
      choice("filter-kind", "Kind", filters.kind, found?.kinds ?? [], change("kind")), choice("filter-asset", "Asset", filters.asset, found?.assets ?? [], change("asset")), choice("filter-by", "By", filters.by, found?.writers ?? [], change("by")),
      input("filter-words", "Holds", filters.words, change("words"), {type: "search"}),
      input("filter-from", "From, UTC", filters.from, change("from"), {type: "date"}), input("filter-to", "To and including, UTC", filters.to, change("to"), {type: "date"})),
    audit?.note(),
    found && h("p", {class: "why"}, found.found > found.rows.length ? `The newest ${found.rows.length} of ${found.found.toLocaleString("en-US")} matches of the last 30 days.` : `${found.found.toLocaleString("en-US")} matches of the last 30 days.`),
    found && table([["Stored", (r) => time(r.recorded_ms, {seconds: true})], ["Kind", (r) => r.kind], ["Asset", (r) => r.asset ?? "–"], ["By", (r) => r.writer], ["What", (r) => r.what, "wide"], ["Trace", (r) => r.trace_id ?? "–"]],
      found.rows, {caption: "Audit trail", empty: "No matching entries.", rowId: (r) => `fact-${r.kind}-${r.fact_id}-${r.asset}`}));
}

function accessed(context) {
  const all = accesses?.data ?? [], change = (name) => (value) => { used[name] = value; context.redraw(); };
  const rows = all.filter((r) => (!used.who || r.who === used.who) && `${r.what} ${r.result} ${r.address}`.toLowerCase().includes(used.words.toLowerCase()));
  return card("Accesses to this page, in this machine's time",
    h("div", {class: "filters"}, choice("filter-who", "Who", used.who, [...new Set(all.map((r) => r.who))].sort(), change("who")), input("filter-access", "Holds", used.words, change("words"), {type: "search", placeholder: "refused"})),
    accesses?.note(),
    accesses?.data && table([["At", (r) => time(r.ts_ms, {seconds: true})], ["Who", (r) => r.who], ["From", (r) => r.address], ["What", (r) => r.what], ["Result", (r) => r.result, "wide"]], rows.slice(0, 100), {caption: "Accesses", empty: "No matching entries."}));
}

export function render(context) {
  return [h("h1", {class: "hidden"}, "Audit"), trail(context), accessed(context)];
}
