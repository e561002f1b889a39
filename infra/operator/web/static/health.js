// Figures of the process and its surroundings, the age of the feeds, and the end of the log.

import {card, choice, h, input, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";

let loaded = null, limits = null;
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"], filters = {level: "", words: ""};
export function enter(context) { loaded = new Loaded(context, "logs", 2000); limits = new Loaded(context, "limits", 30000); }
export function leave() { loaded?.leave(); limits?.leave(); loaded = limits = null; }

// Both bear the same unit.
function isPassed(figure, limit) {
  if (limit === "yes") return figure !== limit;
  return limit !== undefined && Math.abs(parseFloat(figure)) > parseFloat(limit);
}

export function render(context, view) {
  const feeds = Object.entries(view.assets).map(([name, asset]) => ({name, ...asset}));
  const figures = Object.entries(view.health).filter(([name]) => !/^(feed|last candle|link) of /.test(name)), allowed = limits?.data ?? {};
  const change = (name) => (value) => { filters[name] = value; context.redraw(); };
  const lines = (loaded?.data ?? []).filter((r) => (!filters.level || r.level === filters.level) && `${r.actor} ${r.message}`.toLowerCase().includes(filters.words.toLowerCase()));
  return [
    h("h1", {class: "hidden"}, "Health"),
    h("div", {class: "columns"},
      card("Process and surroundings", table([["Figure", ([name]) => name], ["Now", ([name, figure]) => h("span", {class: isPassed(figure, allowed[name]) ? "alarm" : ""}, figure), "number wraps"], ["Limit", ([name]) => allowed[name] ?? "", "number wraps"]], figures, {caption: "Health", empty: "Nothing has been sampled yet."})),
      card("Prices", table([["Asset", (r) => r.name], ["Price", (r) => r.price || "–", "number"], ["Heard", (r) => h("span", {class: r.is_stale ? "alarm" : ""}, r.feed_age ? `${r.feed_age} ago` : "not yet"), "number"], ["Newest candle", (r) => time(r.close_ms), "number"]], feeds, {caption: "Feeds", isSide: true}),
        allowed.feed && h("p", {class: "why"}, `A notification is sent if there is no data for ${allowed.feed}.`),
        table([["Asset", ([name]) => name], ["Stream", ([, link]) => h("span", {class: link.is_streaming ? "" : "alarm"}, link.is_streaming ? "connected" : "NOT CONNECTED")], ["Orders a minute", ([, link]) => link.orders, "number"],
          ["Requests p50", ([, link]) => link.p50, "number"], ["Requests p99", ([, link]) => link.p99, "number"]], Object.entries(view.links ?? {}), {caption: "Connection to the exchange", empty: "", isSide: true}),
        h("p", {class: "why"}, Math.abs(view.clock_offset_ms) > 60000 ? "The trading clock is simulated." : `Trading clock against this machine: ${(view.clock_offset_ms / 1000).toFixed(2)} s.`))),
    card("Log, newest first, in this machine's time",
      context.isOperator && h("div", {class: "acts"}, h("span", {}, `Log level: ${view.health["log level"] ?? "–"}, change to `), LEVELS.map((level) => context.button("log", level, level, `Logs ${level} and above, until the next start.`))),
      h("div", {class: "filters"}, choice("filter-level", "Level", filters.level, LEVELS, change("level")), input("filter-words", "Holds", filters.words, change("words"), {type: "search"})),
      loaded?.note(),
      h("div", {class: "tall"}, table([["At", (r) => [h("span", {class: "tight"}, r.time.slice(0, 10)), " ", r.time.slice(11, 19)]], ["Level", (r) => h("span", {class: ["ERROR", "CRITICAL"].includes(r.level) ? "alarm" : ""}, r.level)], ["Actor", (r) => r.actor || "–"], ["Message", (r) => r.message, "wide"]], lines, {caption: "Log", empty: "No matching lines."}))),
  ];
}
