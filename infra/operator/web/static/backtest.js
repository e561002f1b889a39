// Backtests and reports: a form, the jobs with their progress, their figures, and two of them compared.

import {card, facts, h, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {colours, draw, iso, layout, look} from "./plots.js";
import {toast} from "./press.js";

const PHASES = {reading: "reading candles", playing: "playing", "playing without gaps": "playing again, with stops at their triggers", writing: "writing the report"};
let loaded = null, kind = "run", chosen = [], curves = {}; // curves: by job, {time, growth} or {trouble}
export function enter(context) { loaded = new Loaded(context, "jobs", 1000); chosen = []; curves = {}; }
export function leave() { loaded?.leave(); loaded = null; }

const percent = (value) => (value === null || value === undefined ? "–" : `${value >= 0 ? "+" : ""}${(value * 100).toFixed(2)}%`);
const number = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits}));
const FIGURES = [
  ["Final equity, USDT", (f) => number(f.final_equity)], ["Return", (f) => percent(f.total_return)], ["CAGR", (f) => percent(f.cagr)], ["Maximum drawdown", (f) => percent(-f.max_drawdown)],
  ["Sharpe", (f) => number(f.sharpe)], ["Sortino", (f) => number(f.sortino)], ["Calmar", (f) => number(f.calmar)], ["Trades", (f) => String(f.trades)], ["Win rate", (f) => (f.win_rate === null ? "–" : `${(f.win_rate * 100).toFixed(1)}%`)],
  ["Profit factor", (f) => number(f.profit_factor)], ["Expectancy, USDT", (f) => number(f.expectancy)], ["Average hold, minutes", (f) => number(f.average_hold_minutes, 0)],
  ["Time with a position", (f) => (f.exposure_time === null ? "–" : `${(f.exposure_time * 100).toFixed(1)}%`)], ["Fees, USDT", (f) => number(f.fees)], ["Funding, USDT", (f) => number(f.funding)],
];

async function start(context, event) {
  event.preventDefault();
  const body = {kind};
  for (const [name, value] of new FormData(event.target)) if (name !== "kind") body[name] = value;
  await askFor(context, body);
  loaded?.load();
}

// Says by a toast whether the job was taken.
export async function askFor(context, body) {
  const answer = await fetch(`/api/job?${new URLSearchParams({run: context.run})}`,
    {method: "POST", headers: {"X-CSRF-Token": context.me.csrf}, body: JSON.stringify(body)});
  if (answer.status === 401) location.assign("/login");
  const said = await answer.json();
  toast(said.title, answer.ok ? "done" : "refused");
}

const field = (title, name, input) => h("label", {}, title, h(input.tag ?? "input", {name, ...input}, input.options ?? []));

function form(context, found) {
  if (!context.isOperator) return card("New report", h("p", {class: "empty"}, "An operator can start one."));
  const kinds = [["run", "What this run did, beside a backtest of its candles"], ["backtest", "A backtest of recorded candles"]];
  const choice = h("div", {class: "choices", role: "radiogroup", "aria-label": "What to make"}, kinds.map(([value, text]) =>
    h("label", {class: "choice"}, h("input", {type: "radio", name: "kind", value, checked: kind === value, onchange: () => { kind = value; context.redraw(); }}), text)));
  const day = {type: "date"};
  const option = (name, text = name) => h("option", {value: name}, text);
  const more = kind === "backtest" ? [
    field("Candles", "candles", {tag: "select", required: true, options: found.candles.map((name) => option(name))}),
    field("Settings", "settings", {tag: "select", options: [option("", "settings.yaml"), ...found.settings.map((name) => option(name))]}),
    field("Assets (all if empty)", "assets", {type: "text", placeholder: "BTC, ETH", pattern: "[A-Za-z0-9, ]*"}),
    field("Starting balance, USDT", "balance", {type: "text", inputmode: "decimal", pattern: "[0-9]*([.][0-9]{1,2})?"}),
  ] : [];
  const lacks = kind === "backtest" && !found.candles.length;
  return card("New report", h("form", {id: `form-${kind}`, onsubmit: (event) => start(context, event)}, choice,
    lacks && h("p", {class: "empty"}, "There are no candles in var/candles. Download some with bin/candles download."),
    h("div", {class: "filters"}, more, field("From, UTC", "from_time", day), field("To, UTC", "to_time", day),
      h("button", {type: "submit", class: "primary", disabled: lacks}, "Start"))),
    h("p", {class: "why"}, "One job runs at a time, at low priority: trading does not wait for it."));
}

const title = (job) => (job.asked.kind === "run" ? `Run ${job.asked.run}` : `Backtest of ${[job.asked.candles, job.asked.assets].filter(Boolean).join(": ")}`);
const LETTERS = ["A", "B"];
const chosenAs = (id) => (chosen.includes(id) ? `Chosen, ${LETTERS[chosen.indexOf(id)]}` : "Choose");
const asked = (job) => (job.asked.asked_ms ? new Date(job.asked.asked_ms).toISOString().slice(5, 16).replace("T", " ") : job.id);
const settingsOf = (job) => job.asked.settings || (job.asked.kind === "run" ? "its own settings" : "settings.yaml");
export const span = (job) => [job.asked.from_time || "begin", " to ", job.asked.to_time || "end"].join("");

function pick(context, id) {
  chosen = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id].slice(-2);
  fetchCurve(context, id);
  context.redraw();
}

async function fetchCurve(context, id) {
  if (curves[id]?.time) return;
  const mine = curves;
  try {
    mine[id] = await context.ask(`curve/${id}`);
  } catch (error) {
    mine[id] = {trouble: error.message};
  }
  context.redraw();
}

export function progress(job) {
  if (job.state === "running") {
    const {phase, done, total} = job.progress ?? {};
    const count = (figure) => figure.toLocaleString("en-US");
    return [h("progress", {"aria-label": "running", value: total ? done : null, max: total || null}),
      ` ${PHASES[phase] ?? "starting"}${total ? `: ${count(done)} of ${count(total)} candles, ${Math.floor(100 * done / total)}%` : ""}; ${job.took_s} s`];
  }
  if (job.state === "failed") return h("span", {class: "alarm"}, `failed: ${job.words}`);
  return job.state === "done" ? `done in ${job.took_s} s` : job.state;
}

function jobs(context, found) {
  return card("Reports", table([
    ["Asked for", (job) => time(job.asked.asked_ms)], ["What", (job) => title(job)], ["Period", span], ["Settings", settingsOf],
    ["By", (job) => job.asked.user], ["State", progress, "wide"],
    ["Return", (job) => (job.figures ? percent(job.figures.total_return) : ""), "number"], ["Sharpe", (job) => (job.figures ? number(job.figures.sharpe) : ""), "number"],
    ["Report", (job) => job.state === "done" && h("a", {href: `/report/${job.id}`, target: "_blank", rel: "noopener"}, "Open")],
    ["Compare", (job) => job.state === "done" && h("button", {type: "button", "aria-pressed": String(chosen.includes(job.id)), "aria-label": `${chosenAs(job.id)}: ${title(job)} ${job.id}`, onclick: () => pick(context, job.id)}, chosenAs(job.id))],
  ], found.jobs, {caption: "Reports", empty: "No reports yet.", rowId: (job) => `job-${job.id}`}));
}

function compared(found) {
  const two = chosen.map((id) => found.jobs.find((job) => job.id === id)).filter((job) => job?.figures);
  if (two.length < 2) return card("Two compared", h("p", {class: "empty"}, "Choose two of the reports."));
  const trouble = two.map((job) => curves[job.id]?.trouble).find(Boolean);
  queueMicrotask(() => paint(two).catch(() => null));
  return card("Two compared", trouble && h("p", {class: "alarm"}, trouble),
    facts(...two.map((job, place) => [LETTERS[place], `${title(job)}, ${settingsOf(job)}, ${span(job)}, requested ${asked(job)}`, "wide"])),
    h("div", {id: "curves", class: "chart low", "data-keep": true, role: "group", "aria-label": "Equity of both, relative to the start of each"}),
    table([
    ["Figure", ([name]) => name], ...two.map((job, place) => [LETTERS[place], ([, figure]) => figure(job.figures), "number"]),
  ], FIGURES, {caption: "Two reports compared"}));
}

// Each against its own start; reports of other times are laid over one another, by days since the start.
async function paint(two) {
  const element = document.getElementById("curves"), found = two.map((job) => curves[job.id]);
  const key = `${two.map((job) => job.id)}/${look()}`;
  if (!element || !found.every((each) => each?.time) || element.drawn === key) return;
  element.drawn = key;
  const c = colours(), [a, b] = found, isApart = a.time[0] > b.time.at(-1) || b.time[0] > a.time.at(-1);
  const days = (each) => each.time.map((ms) => (ms - each.time[0]) / 86400000);
  await draw(element, found.map((each, place) => ({
    type: "scatter", mode: "lines", name: LETTERS[place], x: isApart ? days(each) : each.time.map(iso), y: each.growth,
    hovertemplate: `${LETTERS[place]} %{y:+.2%}<extra></extra>`, line: {width: 1.8, color: place ? c.loss : c.blue, dash: place ? "dash" : "solid"},
  })), layout({...(isApart && {xaxis: {type: "linear", ticksuffix: " d"}}), yaxis: {tickformat: "+.1%", zerolinecolor: c.dim}}));
}

export function render(context) {
  const found = loaded?.data;
  if (!found) return [card("Backtest", loaded?.note())];
  return [h("h1", {class: "hidden"}, "Backtest"), loaded.note(), form(context, found), jobs(context, found), compared(found)].filter(Boolean);
}
