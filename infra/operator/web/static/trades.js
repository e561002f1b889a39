// Closed trades with filters, totals of what is selected, and a file for the tax office.

import {card, facts, h, lasting, signed, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {clear, explain, whyCard} from "./why.js";

let loaded = null, filters = {asset: "", side: "", reason: "", days: ""};
export function enter(context) { loaded = new Loaded(context, "trades", 5000); clear(); }
export function leave() { loaded?.leave(); loaded = null; }

const choice = (context, name, title, values) => h("label", {}, title,
  h("select", {id: `filter-${name}`, onchange: (event) => { filters[name] = event.target.value; context.redraw(); }},
    [["", "all"], ...values].map(([value, text]) => h("option", {value, selected: filters[name] === value}, text))));

const distinct = (rows, name) => [...new Set(rows.map((row) => row[name]))].sort().map((value) => [value, value]);

function selected(rows, nowMs) {
  const days = Number(filters.days);
  return rows.filter((row) => (!filters.asset || row.asset === filters.asset) && (!filters.side || row.side === filters.side)
    && (!filters.reason || row.reason === filters.reason) && (!days || row.exit_ms >= nowMs - days * 86400000));
}

function totals(rows) {
  const sum = (name) => rows.reduce((total, row) => total + Number(row[name]), 0);
  const wins = rows.filter((row) => row.pnl_sign > 0), losses = rows.filter((row) => row.pnl_sign < 0);
  const won = wins.reduce((t, r) => t + Number(r.pnl), 0), lost = -losses.reduce((t, r) => t + Number(r.pnl), 0);
  const usdt = (value) => `${value.toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2})} USDT`;
  const pnl = sum("pnl");
  return facts(["Trades", String(rows.length)], ["PnL", signed(`${pnl >= 0 ? "+" : ""}${usdt(pnl)}`, Math.sign(pnl))], ["Win rate", rows.length ? `${(wins.length / rows.length * 100).toFixed(1)}%` : "–"],
    ["Profit factor", lost ? (won / lost).toFixed(2) : "–"], ["Average win", wins.length ? usdt(won / wins.length) : "–"], ["Average loss", losses.length ? usdt(lost / losses.length) : "–"],
    ["Fees", usdt(sum("fees"))], ["Funding", usdt(sum("funding"))], ["Average hold", rows.length ? lasting(sum("held_ms") / rows.length) : "–"]);
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
  if (!loaded.data) return [card("Trades", h("p", {class: loaded.trouble ? "alarm" : "empty"}, loaded.trouble ?? "Loading …"))];
  const rows = selected(loaded.data, view.now_ms);
  return [
    h("h1", {class: "hidden"}, "Trades"),
    whyCard(context) ?? h("section", {id: "why", class: "none"}),
    card("Closed trades",
      h("div", {class: "filters"}, choice(context, "asset", "Asset", distinct(loaded.data, "asset")), choice(context, "side", "Side", distinct(loaded.data, "side")),
        choice(context, "reason", "Reason", distinct(loaded.data, "reason")), choice(context, "days", "Period", [["1", "24 hours"], ["7", "7 days"], ["30", "30 days"], ["365", "a year"]]),
        h("button", {type: "button", onclick: () => download(rows, context.run)}, "Download CSV"),
        h("a", {href: "/backtest", "data-go": true}, "Report of a period, beside its backtest")),
      totals(rows),
      table([
        ["Closed", (r) => time(r.exit_ms)], ["Asset", (r) => r.asset], ["Side", (r) => r.side], ["Qty", (r) => r.qty, "number"], ["Entry", (r) => r.entry, "number"], ["Exit", (r) => r.exit, "number"],
        ["PnL", (r) => [signed(r.pnl_text, r.pnl_sign), h("small", {class: "below"}, `fees ${round(r.fees)}, funding ${round(r.funding)}`)], "number"], ["Of margin", (r) => r.of_margin, "number"], ["Worst", (r) => r.adverse || "–", "number"], ["Best", (r) => r.favourable || "–", "number"],
        ["Held", (r) => r.held, "number"], ["Reason", (r) => r.reason],
        ["", (r) => h("button", {type: "button", onclick: () => explain(context, r.why), "aria-label": `Why ${r.why}`}, "Why?")],
      ], rows.slice(0, 300), {caption: "Closed trades", empty: "No trade fits."}),
      h("p", {class: "why"}, "Worst and best: how far the price went against and for the position while it was open, of the entry price, by closed candles.")),
  ];
}
