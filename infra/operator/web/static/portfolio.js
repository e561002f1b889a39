// The portfolio: money, limits, positions, and each asset in a line.

import {card, facts, h, signed, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {colours, draw, iso, layout, look} from "./plots.js";

let curve = null, drawn = null;
export function enter(context) { drawn = null; curve = new Loaded(context, "equity", 5000); }
export function leave() { curve?.leave(); curve = null; }

const goAsset = (name) => h("a", {href: `/asset/${encodeURIComponent(name)}`, "data-go": true}, name);

function limit(bar) {
  const fraction = Math.round(bar.fraction * 1000) / 10;
  const marks = bar.levels.map((level) => h("i", {style: `left:${level * 100}%`}));
  return h("div", {class: "limit"},
    h("span", {}, bar.name), h("span", {class: "number"}, bar.text),
    h("div", {class: `meter ${fraction >= 80 ? "high" : ""}`, role: "meter", "aria-label": bar.name, "aria-valuenow": fraction,
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuetext": bar.text}, h("div", {style: `width:${fraction}%`}), marks));
}

function money(view) {
  const found = view.portfolio;
  if (!found) return card("Money", h("p", {class: "empty"}, "The portfolio does not answer."));
  return card("Money", facts(
    ["Equity", found.equity], ["Balance", found.balance],
    ["Today", [signed(found.today, found.today_sign), h("small", {class: "below"}, found.today_percent)]],
    ["7 days", curve?.data?.week ? signed(curve.data.week.text, curve.data.week.sign) : "–"],
    ["Total PnL", [signed(found.total_pnl, found.total_sign), h("small", {class: "below"}, found.total_return)]],
    ["Open PnL", found.unrealized], ["Deployed", found.deployed], ["Available", found.available],
    ["Exposure", found.exposure], ["Trades", String(found.trades)], ["Win rate", found.win_rate]));
}

function positions(context, view) {
  const open = Object.entries(view.assets).filter(([, asset]) => asset.position).map(([name, asset]) => ({name, asset, ...asset.position}));
  const columns = [
    ["Asset", (row) => goAsset(row.name)],
    ["Side", (row) => row.side],
    ["Qty", (row) => row.qty, "number"],
    ["Entry", (row) => row.entry, "number"],
    ["Price", (row) => h("span", {class: row.asset.is_stale ? "old" : ""}, row.asset.price), "number"],
    ["PnL", (row) => [signed(row.pnl, row.pnl_sign), h("small", {}, ` ${row.pnl_percent}`)], "number"],
    ["Stop", (row) => [row.stop, h("small", {class: row.is_unprotected ? "alarm" : ""}, ` ${row.stop_distance} away, ${row.stop_state}`)], "number"],
    ["Target", (row) => row.target, "number"],
    ["Age", (row) => row.age, "number"],
  ];
  if (context.isOperator) columns.push(["", (row) => h("span", {class: "acts"},
    context.button("close", row.name, "Close", `Closes the ${row.side} position of ${row.qty} ${row.name} at market.`),
    context.button("liquidate", row.name, "Liquidate", `Closes ${row.name}, cancels its orders and pauses it.`, "danger"))]);
  return card("Open positions", table(columns, open, {caption: "Open positions", empty: "Nothing is open."}));
}

function assets(view) {
  const rows = Object.entries(view.assets).map(([name, asset]) => ({name, ...asset}));
  return card("Assets", table([
    ["Asset", (row) => goAsset(row.name)],
    ["Price", (row) => h("span", {class: row.is_stale ? "old" : ""}, row.price || "–"), "number"],
    ["Regime", (row) => h("span", {class: `regime ${row.regime}`}, row.regime || "–")],
    ["Last signal", (row) => (row.signal_age ? `${row.signal_age} ago` : "none yet"), "number"],
    ["State", (row) => [
      row.is_paused && h("b", {class: "tag"}, "paused"), row.is_suspended && h("b", {class: "tag"}, "suspended"),
      row.cooldown && h("b", {class: "tag"}, `cooldown: ${row.cooldown}`), !row.answers && h("b", {class: "tag"}, "no answer")]],
    ["Newest close", (row) => [time(row.close_ms), " ", h("span", {class: "why"}, row.decided)], "wide"],
  ], rows, {caption: "Assets"}));
}

async function paint(view) {
  const element = document.getElementById("equity"), data = curve?.data;
  if (!element || !data?.time.length) return;
  const key = `${data.time.at(-1)}/${view.portfolio?.equity}/${data.events.length}/${look()}`;
  if (drawn === key) return;
  drawn = key;
  const now = view.portfolio && view.now_ms > data.time.at(-1);
  const c = colours(), x = [...data.time, ...(now ? [view.now_ms] : [])].map(iso), shades = ["dot", "dash", "longdash"];
  const at = (ms) => data.equity[Math.max(0, data.time.findLastIndex((each) => each <= ms))];
  const marks = (kind, symbol, colour) => {
    const events = data.events.filter((event) => event.kind === kind);
    return {type: "scatter", mode: "markers", name: kind, x: events.map((e) => iso(e.time)), y: events.map((e) => at(e.time)), text: events.map((e) => e.text), hovertemplate: "%{text}<extra></extra>", marker: {symbol, size: 11, color: colour, line: {width: 1, color: c.ink}}};
  };
  await draw(element, [
    {type: "scatter", mode: "lines", name: "equity", x, y: [...data.equity, ...(now ? [view.portfolio.equity_number] : [])], line: {color: c.blue, width: 2}, hovertemplate: "equity %{y:,.2f}<extra></extra>"},
    {type: "scatter", mode: "lines", name: "balance", x, y: [...data.balance, ...(now ? [view.portfolio.balance_number] : [])], line: {color: c.dim, width: 1.5, shape: "hv"}, hovertemplate: "balance %{y:,.2f}<extra></extra>"},
    ...data.levels.map((level, place) => ({type: "scatter", mode: "lines", name: level.name, x, y: level.value, line: {color: c.bad, width: 1, dash: shades[place % 3]}, visible: level.value.at(-1) > 0.95 * data.equity.at(-1) || "legendonly", hovertemplate: `${level.name} %{y:,.2f}<extra></extra>`})),
    marks("protection", "star", c.bad), marks("command", "square", c.warn),
  ], layout({yaxis: {tickformat: ",.0f", ticksuffix: " USDT"}, margin: {l: 10, r: 95, t: 10, b: 46}}));
}

function events() {
  const rows = (curve?.data?.events ?? []).slice(0, 12);
  return card("Protections and commands", table([["At", (row) => time(row.time)], ["What", (row) => row.text]], rows, {caption: "Protections and commands", empty: "None yet."}));
}

export function render(context, view) {
  queueMicrotask(() => paint(view).catch(() => null));
  return [
    h("h1", {class: "hidden"}, "Portfolio"),
    h("div", {class: "columns"}, money(view), card("Against the limits", view.limits.map(limit))),
    positions(context, view),
    card("Equity and balance", curve?.trouble && curve.note(),
      h("div", {id: "equity", class: "chart low", "data-keep": true, role: "group", "aria-label": "Curve of equity and balance"})),
    assets(view),
    events(),
  ];
}
