// Every decision, order, command and changed setting; and who used this page.

import {card, h, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";

let audit = null, accesses = null, filters = {kind: "", words: ""};
export function enter(context) { audit = new Loaded(context, "audit", 5000); accesses = new Loaded(context, "accesses", 5000); }
export function leave() { audit?.leave(); accesses?.leave(); audit = accesses = null; }

export function render(context) {
  const all = audit?.data ?? [];
  const rows = all.filter((r) => (!filters.kind || r.kind === filters.kind) && `${r.what} ${r.asset ?? ""} ${r.writer}`.toLowerCase().includes(filters.words.toLowerCase()));
  const kinds = [...new Set(all.map((r) => r.kind))].sort();
  return [
    h("h1", {class: "hidden"}, "Audit"),
    card("Audit trail, the newest first",
      h("div", {class: "filters"},
        h("label", {}, "Kind", h("select", {id: "filter-kind", onchange: (e) => { filters.kind = e.target.value; context.redraw(); }}, h("option", {value: ""}, "all"), kinds.map((kind) => h("option", {value: kind, selected: kind === filters.kind}, kind)))),
        h("label", {}, "Holds", h("input", {id: "filter-words", type: "search", value: filters.words, oninput: (e) => { filters.words = e.target.value; context.redraw(); }}))),
      audit?.trouble && h("p", {class: "alarm"}, audit.trouble),
      table([["Stored", (r) => time(r.recorded_ms, {seconds: true})], ["Kind", (r) => r.kind], ["Asset", (r) => r.asset ?? "–"], ["By", (r) => r.writer], ["What", (r) => r.what, "wide"], ["Trace", (r) => r.trace_id ?? "–"]], rows.slice(0, 200), {caption: "Audit trail"})),
    card("Use of this page", table([["At", (r) => time(r.ts_ms, {seconds: true})], ["Who", (r) => r.who], ["From", (r) => r.address], ["What", (r) => r.what], ["Result", (r) => r.result, "wide"]], (accesses?.data ?? []).slice(0, 100), {caption: "Accesses"})),
  ];
}
