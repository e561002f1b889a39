// Risk: how alike the assets move, how much stands in the largest positions, and what rebalancing would do.

import {card, facts, h, table} from "./dom.js";
import {Loaded} from "./loaded.js";
import {colours, draw, iso, layout, lineOf, look} from "./plots.js";

let loaded = null, parts = null;
export function enter(context) { loaded = new Loaded(context, "correlations", 5000); parts = new Loaded(context, "attribution", 5000); }
export function leave() { loaded?.leave(); parts?.leave(); loaded = parts = null; }

const isNew = (element, key) => element && element.drawn !== key && (element.drawn = key);

async function heat(found) {
  const element = document.getElementById("heat");
  if (!found.matrix.length || !isNew(element, JSON.stringify([found.matrix, look()]))) return;
  const c = colours(), isTight = element.clientWidth < 48 * found.assets.length;
  const text = found.matrix.map((row) => row.map((value) => (value === null ? "–" : value.toFixed(2))));
  await draw(element, [{
    type: "heatmap", x: found.assets, y: found.assets, z: found.matrix, text, texttemplate: isTight ? "" : "%{text}", textfont: {color: c.ink}, zmin: -1, zmax: 1, xgap: 2, ygap: 2,
    colorscale: [[0, c["heat-low"]], [0.5, c.card], [1, c["heat-high"]]], hovertemplate: "%{y} with %{x}: %{text}<extra></extra>", colorbar: {thickness: 10, tickfont: {color: c.dim}},
  }], layout({showlegend: false, dragmode: false, margin: {l: 52, r: 10, t: 10, b: isTight ? 62 : 40}, xaxis: {type: "category"}, yaxis: {type: "category", side: "left", autorange: "reversed"}}), {scrollZoom: false, displayModeBar: false});
}

async function past(found, threshold) {
  const element = document.getElementById("past");
  if (!isNew(element, JSON.stringify([found.time.at(-1), found.mean.at(-1), look()]))) return;
  const c = colours(), x = found.time.map(iso);
  await draw(element, [
    {type: "scatter", mode: "lines", name: "mean of all pairs", x, y: found.mean, line: {color: c.blue, width: 2}, hovertemplate: "%{y:.2f}<extra></extra>"},
    ...(threshold === null ? [] : [{type: "scatter", mode: "lines", name: "threshold", x: [x[0], x.at(-1)], y: [threshold, threshold], line: {color: c.bad, dash: "dash"}, hovertemplate: "threshold %{y:.2f}<extra></extra>"}]),
  ], layout({dragmode: false, yaxis: {range: [-1.05, 1.05]}}), {scrollZoom: false, displayModeBar: false});
}

async function volatility(found) {
  const element = document.getElementById("volatility");
  if (!isNew(element, JSON.stringify([found.time.at(-1), look()]))) return;
  const x = found.time.map(iso);
  await draw(element, found.assets.map((asset, place) => (
    {type: "scatter", mode: "lines", name: asset, x, y: found.volatility[asset], ...lineOf(place), hovertemplate: `${asset} %{y:.1%}<extra></extra>`}
  )), layout({dragmode: false, yaxis: {tickformat: ".0%", rangemode: "tozero"}}), {scrollZoom: false, displayModeBar: false});
}

async function concentration(risk) {
  const element = document.getElementById("concentration");
  const key = JSON.stringify([risk.concentration, look()]);
  if (!isNew(element, key)) return;
  const c = colours(), names = risk.concentration.map((each) => each.asset);
  await draw(element, [
    {type: "bar", name: "share of what is deployed", x: names, y: risk.concentration.map((each) => each.share), marker: {color: c.blue}, width: Math.min(0.8, 0.25 * names.length), hovertemplate: "%{x}: %{y:.1%}<extra></extra>"},
    {type: "scatter", mode: "lines+markers", name: "cumulative", x: names, y: risk.concentration.map((each) => each.cumulative), line: {color: c.loss, dash: "dot"}, hovertemplate: "up to %{x}: %{y:.1%}<extra></extra>"},
  ], layout({dragmode: false, xaxis: {type: "category"}, yaxis: {tickformat: ".0%", range: [0, 1.05]}}), {scrollZoom: false, displayModeBar: false});
}

function attribution() {
  const found = parts?.data, percent = (share) => `${(share * 100).toFixed(1)}%`;
  if (!found) return card("Where the risk comes from", h("p", {class: parts?.trouble ? "alarm" : "empty"}, parts?.trouble ?? (parts?.isLoaded ? "Nothing is open." : "Loading …")));
  const rows = [...found.parts, {asset: "All", notional: "", volatility: "", alone: found.alone, share: found.parts.reduce((sum, each) => sum + each.share, 0), isSum: true}];
  return card("Where the risk comes from",
    table([
      ["Asset", (r) => (r.isSum ? h("b", {}, r.asset) : r.asset)], ["Open, USDT", (r) => r.notional.replace(" USDT", ""), "number"], ["Volatility a year", (r) => r.volatility, "number"],
      ["Alone, USDT a year", (r) => r.alone.replace(" USDT", ""), "number"],
      ["Share of the risk", (r) => [h("span", {class: "part", "aria-hidden": "true"}, h("i", {style: `width:${Math.max(0, Math.min(1, r.share)) * 100}%`})), ` ${percent(r.share)}`], "number"],
    ], rows, {caption: "Risk attribution", isSide: true}),
    facts(["Volatility of all together", `${found.volatility} a year`], ["Sum of the parts", found.alone], ["Saved by diversification", found.diversification]),
    h("p", {class: "why"}, `From the returns of the last ${found.window} closes. A hedge has a negative share.`));
}

function room(found) {
  if (!found) return card("Distance to stop and liquidation", h("p", {class: "empty"}, "The portfolio does not answer."));
  const rows = found.rows.length ? [...found.rows, {asset: "All", side: "", price: "", stop: "", liquidation: "", to_stop: found.to_stops, of_equity: found.of_equity, isSum: true}] : [];
  const away = (level, distance, kind = "") => level && [level, distance && h("small", {class: kind}, ` ${distance} away`)];
  return card("Distance to stop and liquidation", table([
    ["Asset", (r) => (r.isSum ? h("b", {}, r.asset) : r.asset)], ["Side", (r) => r.side], ["Price", (r) => r.price, "number"], ["Stop", (r) => away(r.stop, r.stop_distance), "number"],
    ["Liquidation", (r) => away(r.liquidation, r.liquidation_distance, r.isSum || r.is_behind_stop ? "" : "alarm"), "number"],
    ["If the stop fires", (r) => [r.to_stop, h("small", {}, ` ${r.of_equity} of equity`)], "number"],
  ], rows, {caption: "Distance to stop and liquidation", empty: "Nothing is open.", isSide: true}),
    h("p", {class: "why"}, "From the latest prices, before fees and slippage. Liquidation: where the isolated margin is lost; because of the maintenance margin the exchange acts slightly earlier."));
}

// Without the closes for a window there is nothing to draw.
function drawn(found, id, label, kind = "chart low") {
  if (found && !found.time.length) return h("p", {class: "empty"}, `Not available yet: needs ${found.window} closes of all assets.`);
  return h("div", {id, class: kind, "data-keep": true, role: "group", "aria-label": label});
}

function volatilities(found) {
  if (!found?.time.length) return null;
  const percent = (value) => `${(value * 100).toFixed(1)}%`;
  const extremes = (values) => `${percent(Math.min(...values))} to ${percent(Math.max(...values))}`;
  return h("div", {class: "tall"}, table([["Asset", (asset) => asset], ["Now", (asset) => percent(found.volatility[asset].at(-1)), "number"], ["Range shown", (asset) => extremes(found.volatility[asset]), "number"]],
    found.assets, {caption: "Volatility of each asset", isSide: true}));
}

export function render(context, view) {
  const risk = view.risk;
  if (!risk) return [card("Risk", h("p", {class: "empty"}, "The portfolio does not answer."))];
  const found = loaded?.data, window = `From the log returns of the last ${found?.window ?? "…"} closes`;
  queueMicrotask(() => {
    if (found?.time.length) for (const painted of [heat(found), past(found, risk.threshold), volatility(found)]) painted.catch(() => null);
    concentration(risk).catch(() => null);
  });
  return [
    h("h1", {class: "hidden"}, "Risk"),
    loaded?.trouble && loaded.note(),
    h("div", {class: "columns"}, card("Limits that are broken", risk.violations.length ? h("ul", {}, risk.violations.map((text) => h("li", {class: "alarm"}, text))) : h("p", {class: "empty"}, "None.")),
      card("Rebalancing advice", risk.advice.length ? h("ul", {}, risk.advice.map((each) => h("li", {}, each.text, " ", each.may_reduce && context.isOperator && context.button("reduce", each.asset, "Reduce", `Closes the advised part of ${each.asset}: ${each.text}.`)))) : h("p", {class: "empty"}, "Nothing is advised."))),
    room(view.room),
    attribution(),
    h("div", {class: "columns"},
      card("Correlation now", h("p", {class: "why"}, `${window}.`), drawn(found, "heat", "Correlations of the assets"),
        facts(["Mean of the open positions", risk.mean === null ? "not judged" : risk.mean.toFixed(2)], ["Threshold", risk.threshold === null ? "off" : String(risk.threshold)])),
      card("Correlation over time", h("p", {class: "why"}, "Mean over all pairs, in the same window."), drawn(found, "past", "Mean correlation over time"))),
    card("Volatility", h("p", {class: "why"}, `${window}, annual.`), h("div", {class: "columns"}, drawn(found, "volatility", "Volatility of each asset over time"), volatilities(found))),
    h("div", {class: "columns"},
      card("Concentration", risk.concentration.length
        ? h("div", {id: "concentration", class: "chart low", "data-keep": true, role: "group", "aria-label": "Share of each position"})
        : h("p", {class: "empty"}, "Nothing is open."),
        h("div", {class: "tall"}, table([["Asset", (row) => row.asset], ["Deployed", (row) => row.deployed, "number"], ["Of equity", (row) => row.of_equity, "number"]], risk.concentration, {caption: "Deployed by asset", empty: ""}))),
      card("Groups", table([
        ["Group", (g) => g.name], ["Assets", (g) => g.assets], ["Exposure", (g) => [g.exposure, h("small", {}, ` ${g.exposure_cap}`)], "number"], [`Largest ${risk.largest}`, (g) => [g.largest, h("small", {}, ` ${g.largest_cap}`)], "number"],
      ], risk.groups, {caption: "Correlation groups", empty: "The settings define no groups, and nothing is open."}),
        h("p", {class: "why"}, "Relative to the balance, with the limit. Assets without a group are grouped by measured correlation once they are open."))),
  ].filter(Boolean);
}
