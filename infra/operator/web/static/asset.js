// One asset: candles with its strategy's lines, regime, entries, exits, and where its stop stood.

import {card, facts, h, signed, table, time, utcText} from "./dom.js";
import {colours, draw, iso, layout, look} from "./plots.js";
import {clear, explain, whyCard} from "./why.js";

const SHOWN = 300, SHOWN_NARROW = 110, AHEAD = 12; // Candles; those ahead are room for what stands.
const LINES = ["#c0701f", "#9a72e0", "#1f9d80", "#c85a90"];
let chart = null; // {name, data, newest, trouble, isAsking}

export function enter(_context, name) { chart = {name, data: null, newest: undefined, trouble: null, isAsking: false}; clear(); }
export function leave() { chart = null; }

function merged(before, news) {
  if (!before) return news;
  const at = before.time.indexOf(news.time[0]);
  if (at < 0) return news;
  const data = {...news, lines: {}, signals: [...before.signals.filter((s) => s.time < news.time[0]), ...news.signals]};
  for (const name of ["time", "open", "high", "low", "close", "volume"]) data[name] = [...before[name].slice(0, at), ...news[name]];
  for (const name of Object.keys(news.lines)) data.lines[name] = [...(before.lines[name] ?? []).slice(0, at), ...news.lines[name]];
  const cut = news.time[0];
  data.active = [...before.active.filter(([from]) => from <= cut), ...news.active.filter(([from]) => from > cut)];
  const last = data.active.at(-1), newest = news.active.at(-1);
  if (last && newest && newest[0] <= cut + data.candle_ms && last[1] >= newest[0] - data.candle_ms) last[1] = newest[1];
  return data;
}

async function fetchNews(context, asset) {
  const mine = chart;
  if (!mine || mine.isAsking || mine.newest === asset.close_ms) return;
  mine.isAsking = true;
  const wanted = asset.close_ms;
  try {
    const since = mine.data?.time.at(-1) ?? 0;
    const news = await context.ask("chart", {asset: mine.name, since});
    mine.data = since && news.time.length ? merged(mine.data, news) : since ? {...mine.data} : news;
    mine.newest = wanted;
    mine.trouble = null;
    mine.drawn = null;
  } catch (error) {
    mine.trouble = error.message;
    mine.newest = wanted;
  }
  mine.isAsking = false;
  if (chart === mine) context.redraw();
}

function traces(data, position) {
  const c = colours(), times = data.time.map(iso);
  const mark = (list, text) => ({x: list.map((m) => iso(m.time)), y: list.map((m) => m.price), text: list.map(text), customdata: list.map((m) => m.why ?? ""), mode: "markers", type: "scatter", hovertemplate: "%{text}<extra></extra>"});
  const steps = {x: [], y: []}, targets = {x: [], y: []};
  const beyond = iso(data.time.at(-1) + AHEAD * data.candle_ms); // What stands goes on to the right edge.
  for (const step of data.stops) {
    const to = step.to ? iso(step.to) : beyond;
    steps.x.push(iso(step.from), to, null);
    steps.y.push(step.level, step.level, null);
    if (step.target !== null) { targets.x.push(iso(step.from), to, null); targets.y.push(step.target, step.target, null); }
  }
  const longs = data.entries.filter((e) => e.is_long), shorts = data.entries.filter((e) => !e.is_long);
  return [
    {type: "candlestick", name: "price", x: times, open: data.open, high: data.high, low: data.low, close: data.close,
      increasing: {line: {color: c.gain, width: 1}, fillcolor: c.card}, decreasing: {line: {color: c.loss, width: 1}, fillcolor: c.loss}, showlegend: false},
    ...Object.entries(data.lines).map(([name, y], place) => ({type: "scatter", mode: "lines", name, x: times, y, line: {width: 1.6, color: LINES[place % 4], dash: ["solid", "dash", "dot", "dashdot"][place % 4]}, hovertemplate: `${name} %{y}<extra></extra>`})),
    {type: "scatter", mode: "lines", name: "stop", ...steps, line: {color: c.bad, width: 2}, hovertemplate: "stop %{y}<extra></extra>"},
    {type: "scatter", mode: "lines", name: "target", ...targets, line: {color: c.ok, width: 2, dash: "dash"}, hovertemplate: "target %{y}<extra></extra>"},
    {...mark(data.signals, (s) => `signal ${s.kinds}`), name: "signal", marker: {symbol: "diamond-open", size: 8, color: c.dim}},
    {...mark(shorts, (e) => e.text), name: "short entry", marker: {symbol: "triangle-down", size: 13, color: c.loss, line: {width: 1, color: c.ink}}},
    {...mark(longs, (e) => e.text), name: "long entry", marker: {symbol: "triangle-up", size: 13, color: c.gain, line: {width: 1, color: c.ink}}},
    {...mark(data.exits, (e) => e.text), name: "exit", marker: {symbol: data.exits.map((e) => (e.is_gain ? "circle" : "x")), size: 10, color: data.exits.map((e) => (e.is_gain ? c.gain : c.loss)), line: {width: 1, color: c.ink}}},
  ].filter((trace) => trace.type === "candlestick" || trace.x.length || ["stop"].includes(trace.name));
}

function frame(data, asset) {
  const c = colours(), last = data.time.length;
  const count = innerWidth < 700 ? SHOWN_NARROW : SHOWN;
  const from = data.time[Math.max(0, last - count)] ?? 0, to = (data.time.at(-1) ?? 0) + AHEAD * data.candle_ms;
  const shown = (list) => list.slice(Math.max(0, last - count));
  const price = asset.price_number;
  const {stop_number: stop, target_number: target} = asset.position ?? {};
  // They stay in sight; a far target would leave no room for the candles on a phone.
  const standing = [price, stop, innerWidth < 700 ? null : target].filter((level) => level);
  const low = Math.min(...shown(data.low), ...standing), high = Math.max(...shown(data.high), ...standing);
  const pad = (high - low) * 0.08;
  return layout({
    xaxis: {range: [iso(from), iso(to)]},
    yaxis: {range: [low - pad, high + pad], tickprefix: "$"},
    uirevision: `${chart.name}`,
    shapes: [
      ...data.active.map(([start, end]) => ({type: "rect", xref: "x", yref: "paper", x0: iso(start), x1: iso(end), y0: 0, y1: 1, fillcolor: c["blue-soft"], opacity: 0.55, line: {width: 0}, layer: "below"})),
      ...(price ? [{type: "line", xref: "paper", x0: 0, x1: 1, y0: price, y1: price, line: {color: c.dim, width: 1, dash: "dot"}}] : []),
    ],
    annotations: price ? [{xref: "paper", x: 1, y: price, xanchor: "left", text: asset.price, showarrow: false, bgcolor: c.ink, font: {color: c.card, size: 11}}] : [],
  });
}

async function paint(context, asset) {
  const element = document.getElementById("candles");
  if (!element || !chart?.data?.time.length || chart.isPainting) return;
  const key = `${chart.newest}/${asset.price}/${look()}/${asset.position?.stop}`;
  if (chart.drawn === key) return;
  const mine = chart;
  mine.isPainting = true;
  mine.drawn = key;
  try {
    const isFirst = !element.data;
    await draw(element, traces(mine.data, asset.position), frame(mine.data, asset));
    if (isFirst) element.on("plotly_click", (event) => {
      const why = event.points[0]?.customdata;
      if (why) explain(context, why);
    });
  } catch (error) {
    mine.trouble = error.message;
  }
  mine.isPainting = false;
}

function positionCard(context, name, asset, room) {
  const p = asset.position;
  const entry = p && chart?.data?.entries.find((each) => each.time === p.entry_ms && each.why);
  const acts = h("div", {class: "acts"}, entry && whyButton(context, entry.why, "this position"), context.isOperator && [
    p && context.button("close", name, "Close", `Closes the ${p.side} position of ${p.qty} ${name} at market.`),
    p && context.button("reduce", `${name} 0.5`, "Reduce by half", `Closes half of the ${p.side} position of ${p.qty} ${name}.`),
    asset.is_paused ? context.button("resume", name, "Resume", `Lets ${name} open positions again.`)
      : context.button("pause", name, "Pause", `Opens no new position in ${name} until resumed.`),
    context.button("liquidate", name, "Liquidate", `Closes ${name}, cancels its orders and pauses it.`, "danger"),
    context.button("restart", `asset/${name}`, "Restart actor", `Replaces asset/${name} with a new incarnation; the other actors keep running.`)]);
  return card("Position", p ? facts(
    ["Side", p.side], ["Qty", p.qty], ["Entry", p.entry], ["PnL", [signed(p.pnl, p.pnl_sign), ` ${p.pnl_percent}`]],
    ["Stop", p.stop], ["Distance", p.stop_distance], ["State of the stop", h("span", {class: p.is_unprotected ? "alarm" : ""}, p.stop_state)],
    ["Target", p.target], ["Liquidation", room ? [room.liquidation, room.liquidation_distance && h("small", {class: "below"}, `${room.liquidation_distance} away`)] : "–"], ["Held", p.age]) : h("p", {class: "empty"}, "Nothing is open."), acts);
}

const whyButton = (context, id, about) => h("button", {type: "button", onclick: () => explain(context, id), "aria-label": `Why ${about}`}, "Why?");

function history(context, name) {
  const exits = [...(chart?.data?.exits ?? [])].reverse().slice(0, 30);
  return card("Closed trades", table([
    ["Closed", (row) => time(row.time)], ["Side", (row) => row.side], ["Qty", (row) => row.qty, "number"], ["Entry", (row) => row.entry, "number"], ["Exit", (row) => row.exit, "number"],
    ["PnL", (row) => signed(row.pnl, row.pnl_sign), "number"], ["Held", (row) => row.held, "number"], ["Reason", (row) => row.reason],
    ["", (row) => whyButton(context, row.why, `the trade of ${utcText(row.time)}`)],
  ], exits, {caption: `Closed trades of ${name}`, empty: chart?.data ? "Nothing yet." : "Loading …"}));
}

function refusals(context, name) {
  const rows = (chart?.data?.denials ?? []).slice(0, 20);
  return card("Refused entries", table([["At", (row) => time(row.time)], ["Reason", (row) => row.text, "wide"], ["", (row) => whyButton(context, row.why, `the refusal of ${utcText(row.time)}`)]],
    rows, {caption: `Refused entries of ${name}`, empty: chart?.data ? "None in the candles shown." : "Loading …"}));
}

export function render(context, view, name) {
  const asset = view.assets[name];
  if (!asset) return [card(name, h("p", {class: "empty"}, "This run has no such asset."))];
  fetchNews(context, asset);
  queueMicrotask(() => paint(context, asset));
  return [
    h("h1", {}, `${name} `, h("span", {class: asset.is_stale ? "old" : ""}, asset.price), " ",
      h("span", {class: `regime ${asset.regime}`}, asset.regime || "–"), " ", h("small", {}, asset.strategy)),
    h("section", {class: "card", "aria-label": `Chart of ${name}`},
      chart?.trouble && h("p", {class: "alarm"}, chart.trouble),
      h("div", {id: "candles", class: "chart", "data-keep": true, role: "group", "aria-label": `Candles of ${name} with ${asset.values.join(", ")}`}),
      h("p", {class: "why"}, "Shaded: the regime is active. Drag to move, scroll to zoom. Click an entry or an exit for its reason.")),
    whyCard(context),
    h("div", {class: "columns"}, positionCard(context, name, asset, view.room?.rows.find((row) => row.asset === name)),
      card("Now", facts(["Regime", asset.regime || "–"], ["Meaning", asset.note || "–"], ["Figures", asset.values.join(", ") || "–", "wide"],
        ["Newest signal", asset.signal_age ? `${asset.signal_age} ago` : "none yet"], ["Cooldown", asset.cooldown || "none"], ["Prices heard", asset.feed_age ? `${asset.feed_age} ago` : "–"]),
        h("div", {class: "acts decided"}, h("span", {class: "why"}, asset.decided), asset.close_ms && h("button", {type: "button", onclick: () => explain(context, `close/${name}@${iso(asset.close_ms)}`), "aria-label": "Why the latest close was decided like this"}, "Why?")))),
    history(context, name),
    refusals(context, name),
  ].filter(Boolean);
}
