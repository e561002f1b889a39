// Risk: how alike the assets move, how much stands in the largest positions, and what rebalancing would do.

import {card, facts, h, table} from "./dom.js";
import {colours, draw, layout} from "./plots.js";

let drawn = null;
export function enter() { drawn = null; }
export function restyle() { drawn = null; }

async function heat(risk) {
  const element = document.getElementById("heat");
  const key = JSON.stringify([risk.correlations, document.documentElement.dataset.theme]);
  if (!element || drawn === key) return;
  drawn = key;
  const c = colours();
  const text = risk.correlations.map((row) => row.map((value) => (value === null || value === undefined ? "–" : value.toFixed(2))));
  await draw(element, [{
    type: "heatmap", x: risk.assets, y: risk.assets, z: risk.correlations, text, texttemplate: "%{text}", zmin: -1, zmax: 1, xgap: 2, ygap: 2,
    colorscale: [[0, "#d55e00"], [0.5, c.card], [1, "#0072b2"]], hovertemplate: "%{y} with %{x}: %{text}<extra></extra>", colorbar: {thickness: 10, tickfont: {color: c.dim}},
  }], layout({showlegend: false, dragmode: false, margin: {l: 60, r: 10, t: 10, b: 40}, xaxis: {type: "category"}, yaxis: {type: "category", side: "left", autorange: "reversed"}}), {scrollZoom: false, displayModeBar: false});
}

async function concentration(risk) {
  const element = document.getElementById("concentration");
  const key = JSON.stringify([risk.concentration, document.documentElement.dataset.theme]);
  if (!element || element.drawn === key) return;
  element.drawn = key;
  const c = colours(), names = risk.concentration.map((each) => each.asset);
  await draw(element, [
    {type: "bar", name: "share of what is deployed", x: names, y: risk.concentration.map((each) => each.share), marker: {color: c.blue}, hovertemplate: "%{x}: %{y:.1%}<extra></extra>"},
    {type: "scatter", mode: "lines+markers", name: "cumulative", x: names, y: risk.concentration.map((each) => each.cumulative), line: {color: c.loss, dash: "dot"}, hovertemplate: "up to %{x}: %{y:.1%}<extra></extra>"},
  ], layout({dragmode: false, xaxis: {type: "category"}, yaxis: {tickformat: ".0%", range: [0, 1.05]}}), {scrollZoom: false, displayModeBar: false});
}

export function render(_context, view) {
  const risk = view.risk;
  if (!risk) return [card("Risk", h("p", {class: "empty"}, "The portfolio does not answer."))];
  queueMicrotask(() => { heat(risk).catch(() => null); concentration(risk).catch(() => null); });
  const groups = Object.entries(risk.groups).filter(([, group]) => group);
  return [
    h("h1", {class: "hidden"}, "Risk"),
    h("div", {class: "columns"},
      card("Correlation at the newest close", h("p", {class: "why"}, "Of each asset with each other open one; – where it was not judged."),
        h("div", {id: "heat", class: "chart", "data-keep": true, role: "img", "aria-label": "Correlations of the assets"}),
        facts(["Mean of the open ones", risk.mean === null ? "not judged" : risk.mean.toFixed(2)], ["Threshold", risk.threshold === null ? "off" : String(risk.threshold)])),
      card("Concentration", risk.concentration.length
        ? h("div", {id: "concentration", class: "chart", "data-keep": true, role: "img", "aria-label": "Share of each position"})
        : h("p", {class: "empty"}, "Nothing is open."),
        table([["Asset", (row) => row.asset], ["Deployed", (row) => row.deployed, "number"], ["Of equity", (row) => row.of_equity, "number"]], risk.concentration, {caption: "Deployed by asset", empty: ""}))),
    h("div", {class: "columns"},
      card("Rebalancing advice", risk.advice.length ? h("ul", {}, risk.advice.map((text) => h("li", {}, text))) : h("p", {class: "empty"}, "Nothing is advised.")),
      card("Groups", table([["Asset", ([name]) => name], ["Group", ([, group]) => group]], groups, {caption: "Correlation groups", empty: "No groups are named in the settings."}))),
  ];
}
