// Closed trades with filters, totals of what is selected, and a file for the tax office.

import {askFor, progress, span} from "./backtest.js";
import {card, choice, facts, h, input, lasting, signed, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {clear, explain, whyCard} from "./why.js";

const DAY_MS = 86400000, SPANS = [["1", "24 hours"], ["7", "7 days"], ["30", "30 days"], ["365", "a year"]];
let loaded = null, jobs = null;
const filters = {asset: "", side: "", reason: "", days: "", from: "", to: ""};
export function enter(context) { loaded = new Loaded(context, "trades", 5000); jobs = new Loaded(context, "jobs", 1000); clear(); }
export function leave() { loaded?.leave(); jobs?.leave(); loaded = jobs = null; }

const distinct = (rows, name) => [...new Set(rows.map((row) => row[name]))].sort();

function selected(rows, nowMs) {
  const from = Math.max(filters.days ? nowMs - Number(filters.days) * DAY_MS : 0, filters.from ? Date.parse(filters.from) : 0);
  const to = filters.to ? Date.parse(filters.to) + DAY_MS : Infinity;
  return rows.filter((row) => ["asset", "side", "reason"].every((name) => !filters[name] || row[name] === filters[name]) && row.exit_ms >= from && row.exit_ms < to);
}

const utcDay = (ms) => new Date(ms).toISOString().slice(0, 16);

// The same page as a backtest's, of what was traded: beside the backtest of the same candles, with every fill.
function report(context, view) {
  const rows = (jobs?.data?.jobs ?? []).filter((job) => job.asked.kind === "run" && job.asked.run === context.run).slice(0, 3);
  const from = filters.from ? filters.from : filters.days ? utcDay(view.now_ms - Number(filters.days) * DAY_MS) : "", to = filters.to ? utcDay(Date.parse(filters.to) + DAY_MS) : "";
  return card("Report of the period, beside its backtest",
    h("p", {class: "why"}, "What this run did in the selected period, as in a backtest's report, and where a backtest of the same candles differs, with every fill."),
    context.isOperator && h("div", {class: "acts"}, h("button", {type: "button", class: "primary", onclick: () => askFor(context, {kind: "run", from_time: from, to_time: to}).then(() => jobs?.load())}, "Make the report")),
    jobs?.note(),
    rows.length ? table([["Asked for", (job) => time(job.asked.asked_ms)], ["Period", span], ["State", progress, "wide"], ["Report", (job) => job.state === "done" && h("a", {href: `/report/${job.id}`, target: "_blank", rel: "noopener"}, "Open")]], rows, {caption: "Reports of this run"}) : null);
}

function meanPercent(rows, name) {
  const known = rows.filter((row) => row[name]);
  const mean = known.reduce((total, row) => total + parseFloat(row[name]), 0) / known.length;
  return known.length ? `${mean > 0 ? "+" : ""}${mean.toFixed(2)}%` : "–";
}

function totals(rows) {
  const sum = (name) => rows.reduce((total, row) => total + Number(row[name]), 0);
  const wins = rows.filter((row) => row.pnl_sign > 0), losses = rows.filter((row) => row.pnl_sign < 0);
  const won = wins.reduce((t, r) => t + Number(r.pnl), 0), lost = -losses.reduce((t, r) => t + Number(r.pnl), 0);
  const usdt = (value) => `${value.toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2})} USDT`;
  const pnl = sum("pnl");
  return facts(["Trades", String(rows.length)], ["PnL", signed(`${pnl >= 0 ? "+" : ""}${usdt(pnl)}`, Math.sign(pnl))], ["Win rate", rows.length ? `${(wins.length / rows.length * 100).toFixed(1)}%` : "–"],
    ["Profit factor", lost ? (won / lost).toFixed(2) : "–"], ["Average win", wins.length ? usdt(won / wins.length) : "–"], ["Average loss", losses.length ? usdt(lost / losses.length) : "–"],
    ["Fees", usdt(sum("fees"))], ["Funding", usdt(sum("funding"))], ["Average hold", rows.length ? lasting(sum("held_ms") / rows.length) : "–"],
    ["Average worst (MAE)", meanPercent(rows, "adverse")], ["Average best (MFE)", meanPercent(rows, "favourable")]);
}

function download(rows, run) {
  const names = ["asset", "side", "entry_utc", "exit_utc", "qty", "entry_price", "exit_price", "fees_usdt", "funding_usdt", "pnl_usdt", "reason"];
  const bare = (text) => text.replace(/[$,]/g, "");
  const lines = rows.map((r) => [r.asset, r.side, new Date(r.entry_ms).toISOString(), new Date(r.exit_ms).toISOString(), r.qty, bare(r.entry), bare(r.exit), r.fees, r.funding, r.pnl, r.reason].join(","));
  const url = URL.createObjectURL(new Blob([[names.join(","), ...lines, ""].join("\n")], {type: "text/csv"}));
  const link = h("a", {href: url, download: `trades-${run}.csv`});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const round = (text) => Number(text).toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2});

export function render(context, view) {
  if (!loaded) return [];
  if (!loaded.data) return [card("Trades", loaded.note())];
  const change = (name) => (value) => { filters[name] = value; context.redraw(); };
  const rows = selected(loaded.data, view.now_ms);
  return [
    h("h1", {class: "hidden"}, "Trades"),
    whyCard(context) ?? h("section", {id: "why", class: "none"}),
    card("Closed trades",
      h("div", {class: "filters"}, choice("filter-asset", "Asset", filters.asset, distinct(loaded.data, "asset"), change("asset")), choice("filter-side", "Side", filters.side, distinct(loaded.data, "side"), change("side")),
        choice("filter-reason", "Reason", filters.reason, distinct(loaded.data, "reason"), change("reason")), choice("filter-days", "Period", filters.days, SPANS, change("days")),
        input("filter-from", "From, UTC", filters.from, change("from"), {type: "date"}), input("filter-to", "To and including, UTC", filters.to, change("to"), {type: "date"}),
        h("button", {type: "button", onclick: () => download(rows, context.run)}, "Download CSV")),
      loaded.note(),
      totals(rows),
      table([
        ["Closed", (r) => time(r.exit_ms)], ["Asset", (r) => r.asset], ["Side", (r) => r.side], ["Qty", (r) => r.qty, "number"], ["Entry", (r) => r.entry, "number"], ["Exit", (r) => r.exit, "number"],
        ["PnL", (r) => [signed(r.pnl_text, r.pnl_sign), h("small", {class: "below"}, `fees ${round(r.fees)}, funding ${round(r.funding)}`)], "number"], ["Of margin", (r) => r.of_margin, "number"], ["Worst", (r) => r.adverse || "–", "number"], ["Best", (r) => r.favourable || "–", "number"],
        ["Held", (r) => r.held, "number"], ["Reason", (r) => r.reason],
        ["", (r) => h("button", {type: "button", onclick: () => explain(context, r.why), "aria-label": `Why ${r.why}`}, "Why?")],
      ], rows.slice(0, 300), {caption: "Closed trades", empty: loaded.data.length ? "No matching trades." : "No closed trades yet.", rowId: (r) => `trade-${r.why}`}),
      h("p", {class: "why"}, "Worst and best (MAE, MFE): how far the price moved against and in favor of the position while it was open, relative to the entry price, from closed candles.")),
    report(context, view),
  ];
}
