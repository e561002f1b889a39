// The assets side by side.

import {card, h, signed, table} from "./dom.js";
import {Loaded} from "./loaded.js";
import {colours, draw, iso, layout, lineOf, look} from "./plots.js";
import * as runs from "./runs.js";

let loaded = null;
export function enter(context) { loaded = new Loaded(context, "compare", 5000); runs.enter(context); }
export function leave() { loaded?.leave(); runs.leave(); loaded = null; }

async function paint(found) {
  const element = document.getElementById("prices");
  const key = `${found.prices.map((each) => each.time.at(-1)).join()}/${look()}`;
  if (!element || element.drawn === key) return;
  element.drawn = key;
  const c = colours();
  await draw(element, found.prices.map((each, place) => ({
    type: "scatter", mode: "lines", name: each.asset, x: each.time.map(iso), y: each.growth, hovertemplate: `${each.asset} %{y:+.2%}<extra></extra>`, ...lineOf(place),
  })), layout({yaxis: {tickformat: "+.1%", zerolinecolor: c.dim}}));
}

export function render(context, view) {
  const found = loaded?.data;
  if (!found) return [runs.runsCard(), card("Compare", loaded?.note())].filter(Boolean);
  queueMicrotask(() => paint(found).catch(() => null));
  const deployed = Object.fromEntries((view.risk?.concentration ?? []).map((each) => [each.asset, `${(each.share * 100).toFixed(1)}%`]));
  const rows = found.rows.map((row) => ({...row, ...(view.performance[row.asset] ?? {})}));
  const name = (r) => (r.asset === "all" ? h("b", {}, "All") : h("a", {href: `/asset/${encodeURIComponent(r.asset)}`, "data-go": true}, r.asset));
  const position = (row) => view.assets[row.asset]?.position;
  return [
    h("h1", {class: "hidden"}, "Compare"),
    loaded.note(),
    runs.runsCard(),
    card("Results", table([
      ["Asset", name], ["PnL", (r) => signed(r.pnl, r.pnl_sign), "number"], ["Return", (r) => r.return, "number"], ["Open return", (r) => r.open_return, "number"], ["Share of PnL", (r) => r.contribution || "–", "number"],
      ["Trades", (r) => String(r.trades ?? 0), "number"], ["Win rate", (r) => r.win_rate, "number"], ["Profit factor", (r) => r.profit_factor, "number"], ["Average", (r) => r.average, "number"],
      ["Deployed", (r) => deployed[r.asset] ?? "–", "number"], ["Stop distance", (r) => position(r)?.stop_distance ?? "–", "number"],
    ], rows, {caption: "Assets side by side", isSide: true}),
      h("p", {class: "why"}, "PnL and returns include open positions; the open return is relative to the deployed capital. All since the start of the run.")),
    card("Trading figures", table([
      ["Asset", name], ["Sharpe", (r) => r.Sharpe, "number"], ["Volatility", (r) => r.volatility, "number"], ["Share of risk", (r) => r["risk share"], "number"], ["Hold", (r) => r.hold, "number"],
      ["MAE", (r) => r.MAE, "number"], ["MFE", (r) => r.MFE, "number"], ["Slippage", (r) => r.slippage, "number"], ["Fees", (r) => r.fees, "number"],
    ], rows, {caption: "How the assets trade", isSide: true}),
      h("p", {class: "why"}, "Sharpe ratio and volatility (annualized) and share of risk: from the daily returns of the last 30 days, available from the third day on. Hold, MAE and MFE: means over closed trades. Slippage: fills compared with the close of the decision.")),
    card("Prices from a common start", h("div", {id: "prices", class: "chart", "data-keep": true, role: "group", "aria-label": "Prices of all assets from a common start"})),
  ].filter(Boolean);
}
