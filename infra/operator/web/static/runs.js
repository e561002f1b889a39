// Several runs side by side: what each has come to, and their equities from a common start.

import {card, h, signed, table, time} from "./dom.js";
import {ask} from "./live.js";
import {Loaded} from "./loaded.js";
import {colours, draw, iso, layout, lineOf, look} from "./plots.js";

const DAY_MS = 86400000;
let loaded = null;

export function enter(context) {
  if (context.me.runs.length < 2) return;
  const all = {ask: () => Promise.all(context.me.runs.map(both)), redraw: context.redraw};
  loaded = new Loaded(all, "", 5000);
}
export function leave() { loaded?.leave(); loaded = null; }

// A run whose journal cannot be read yet has no curve, and hides no other one.
async function both(run) {
  const [summary, curve] = await Promise.all([ask("summary", run), ask("equity", run).catch((error) => ({time: [], equity: [], trouble: error.message}))]);
  return {...summary, curve};
}

// Runs of other times are laid over one another, by days since the start of each.
async function paint(found) {
  const element = document.getElementById("runs"), drawn = found.filter((each) => each.curve.time.length);
  const key = JSON.stringify([drawn.map((each) => [each.run, each.curve.time.at(-1)]), look()]);
  if (!element || !drawn.length || element.drawn === key) return;
  element.drawn = key;
  const c = colours(), begins = drawn.map((each) => each.curve.time[0]), ends = drawn.map((each) => each.curve.time.at(-1));
  const isApart = Math.max(...begins) > Math.min(...ends);
  const x = ({curve}) => curve.time.map((ms) => (isApart ? (ms - curve.time[0]) / DAY_MS : iso(ms)));
  await draw(element, drawn.map((each, place) => ({
    type: "scatter", mode: "lines", name: each.run, x: x(each), y: each.curve.equity.map((value) => value / each.curve.equity[0] - 1), ...lineOf(place), hovertemplate: `${each.run} %{y:+.2%}<extra></extra>`,
  })), layout({...(isApart && {xaxis: {type: "linear", ticksuffix: " d"}}), yaxis: {tickformat: "+.1%", zerolinecolor: c.dim}}));
}

export function runsCard() {
  if (!loaded) return null;
  const found = loaded.data;
  if (!found) return card("Runs side by side", loaded.note());
  queueMicrotask(() => paint(found).catch(() => null));
  const of = (name) => (run) => run.portfolio?.[name] ?? "–";
  return card("Runs side by side", loaded.note(), table([
    ["Run", (run) => h("a", {href: `?run=${encodeURIComponent(run.run)}`}, run.run)], ["Mode", (run) => run.mode || "–"], ["State", (run) => h("span", {class: run.state === "RUNNING" ? "" : "alarm"}, run.state ?? "–")],
    ["As of", (run) => time(run.as_of_ms)], ["Equity", of("equity"), "number"], ["PnL", (run) => (run.portfolio ? signed(run.portfolio.total_pnl, run.portfolio.total_sign) : "–"), "number"],
    ["Return", of("total_return"), "number"], ["Drawdown", (run) => run.drawdown.split(" of ")[0] || "–", "number"], ["Trades", (run) => String(run.portfolio?.trades ?? "–"), "number"], ["Win rate", of("win_rate"), "number"],
  ], found, {caption: "Runs side by side", isSide: true}),
    h("div", {id: "runs", class: "chart low", "data-keep": true, role: "group", "aria-label": "Equity of all runs from a common start"}));
}
