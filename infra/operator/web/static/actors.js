// The supervision tree: who lives, how much waits, how fast it is worked off.

import {card, facts, h, table} from "./dom.js";

const KEPT = 60;
let series = {}; // address: [{at, handled}]
export function enter() { series = {}; }

function note(view) {
  for (const actor of view.actors) {
    const kept = (series[actor.address] ??= []);
    if (kept.at(-1)?.at !== view.looked_ms) kept.push({at: view.looked_ms, handled: actor.handled, depth: actor.depth});
    if (kept.length > KEPT) kept.shift();
  }
}

function rates(address) {
  const kept = series[address] ?? [];
  return kept.slice(1).map((each, place) => (each.handled - kept[place].handled) / Math.max(0.001, (each.at - kept[place].at) / 1000));
}

function spark(values) {
  const ns = "http://www.w3.org/2000/svg", picture = document.createElementNS(ns, "svg"), most = Math.max(1, ...values);
  picture.setAttribute("viewBox", "0 0 60 16");
  picture.setAttribute("class", "spark");
  picture.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(ns, "polyline");
  line.setAttribute("points", values.map((value, place) => `${60 - values.length + place},${15 - (value / most) * 14}`).join(" "));
  picture.append(line);
  return picture;
}

const ms = (value) => (value === null ? "–" : value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 10 ? 2 : 0)} ms`);
const state = (actor) => h("span", {class: actor.is_running ? "" : "alarm"}, actor.is_running ? "● " : "○ ", actor.is_given_up ? "GIVEN UP" : actor.status);

export function render(context, view) {
  note(view);
  const parents = ["", ...new Set(view.actors.filter((a) => a.address.includes("/")).map((a) => a.address.split("/")[0]))];
  const rows = parents.flatMap((parent) => view.actors.filter((a) => (parent ? a.address.startsWith(`${parent}/`) : !a.address.includes("/"))));
  const columns = [
    ["Actor", (a) => h("span", {class: a.address.includes("/") ? "child" : ""}, a.address)], ["State", state], ["Life", (a) => String(a.generation), "number"], ["Restarts", (a) => String(a.restarts), "number"],
    ["Waiting", (a) => h("span", {class: a.depth > 20 || a.oldest_s > 5 ? "alarm" : ""}, a.depth ? `${a.depth}, oldest ${a.oldest_s.toFixed(1)} s` : "0"), "number"],
    ["Messages/s", (a) => { const found = rates(a.address); return [spark(found), ` ${(found.at(-1) ?? 0).toFixed(1)}`]; }, "number"],
    ["p50", (a) => ms(a.p50_ms), "number"], ["p99", (a) => ms(a.p99_ms), "number"],
    ["Last failure", (a) => (a.last_failure ? [a.last_failure, a.crash_id && h("code", {}, ` bin/trace crash ${a.crash_id}`)] : "–")],
  ];
  if (context.isOperator) columns.push(["", (a) => context.button("restart", a.address, "Restart", `Replaces ${a.address} by a new life; the others go on.`)]);
  const failed = view.actors.filter((a) => a.restarts || !a.is_running).length;
  return [
    h("h1", {class: "hidden"}, "Actors"),
    card("Supervision", facts(["Actors", String(view.actors.length)], ["Running", String(view.actors.filter((a) => a.is_running).length)], ["Failed since the start", String(failed)],
      ["Dead letters", String(view.dead_letters)], ["Messages handled", view.actors.reduce((sum, a) => sum + a.handled, 0).toLocaleString("en-US")])),
    card("supervisor", table(columns, rows, {caption: "Actors"})),
  ];
}
