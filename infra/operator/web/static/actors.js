// The supervision tree: what runs, how much waits, how fast it is worked off.

import {card, facts, h, table, time} from "./dom.js";
import {Loaded} from "./loaded.js";
import {only} from "./messages.js";
import {send} from "./press.js";

const KEPT = 60;
let series = {}; // address: [{at, handled}]
let looked = null; // {address, loaded}: the actor that is looked at
let aside = null; // {count, table, trouble}: messages that were set aside
let crashes = null;
export function enter(context) { leave(); series = {}; aside = null; crashes = new Loaded(context, "crashes", 5000); }
export function leave() { lookAway(); crashes?.leave(); crashes = null; }
function lookAway() { looked?.loaded.leave(); looked = null; }

function lookAt(context, address) {
  lookAway();
  looked = {address, loaded: new Loaded(context, "actor", 3000, () => ({address}))};
  context.redraw();
}

function lookedCard(context, view) {
  const actor = looked && view.actors.find((each) => each.address === looked.address);
  if (!actor) return null;
  const {data, trouble} = looked.loaded;
  const rows = data ?? [];
  return h("section", {class: "card", id: "looked"}, h("h2", {}, `State of ${actor.address}`),
    facts(["State", state(actor)], ["Life", String(actor.generation)], ["Mailbox", `${actor.depth} waiting`], ["Oldest waits", `${actor.oldest_s.toFixed(1)} s`],
      ["Handled", actor.handled.toLocaleString("en-US")], ["p50", ms(actor.p50_ms)], ["p99", ms(actor.p99_ms)]),
    trouble && h("p", {class: "alarm"}, trouble),
    data && table([["Figure", (r) => r.figure], ["As it answers", (r) => r.live, "wide"], ["As the facts have it", (r) => r.stored, "wide"], ["", (r) => (r.is_alike ? "alike" : h("span", {class: "alarm"}, "differs"))]],
      rows, {caption: `State of ${actor.address}`, empty: "It keeps no state that is rebuilt from facts."}),
    h("p", {class: "why"}, "A restarted actor begins with the state rebuilt from the facts. A value may differ briefly while a message is in transit."),
    h("button", {type: "button", onclick: () => { lookAway(); context.redraw(); }}, "Close this"));
}

async function lookAside(context, count) {
  if (aside?.count === count || !context.isOperator || !context.live.isOpen) return;
  aside = {...aside, count};
  const mine = aside;
  try {
    const [isDone, said] = count ? await send(context, "deadletters", "", {}) : [true, {table: null}];
    mine.table = said.table;
    mine.trouble = isDone ? null : said.title;
  } catch {
    mine.trouble = "The page does not answer.";
  }
  context.redraw();
}

function asideCard(context, view) {
  lookAside(context, view.set_aside);
  const found = aside?.table;
  if (!view.set_aside) return card("Messages set aside", h("p", {class: "empty"}, "None is set aside."));
  if (!found) return card("Messages set aside", h("p", {class: aside?.trouble ? "alarm" : "empty"}, aside?.trouble ?? `${view.set_aside} set aside; an operator can inspect them.`));
  const columns = found.columns.map((name, place) => [name, (row) => row[place], place === 4 ? "wide" : ""]);
  columns.push(["", (row) => h("span", {class: "acts"},
    row.at(-1).includes("redeliver") && context.button("redeliver", row[0], "Redeliver", "Delivers the message to its actor again. All current checks apply; if it crashes again, it is set aside again."),
    context.button("drop", row[0], "Drop", "Discards the message for good."))]);
  return card("Messages set aside", table(columns, found.rows, {caption: "Messages set aside"}),
    h("p", {class: "why"}, "Messages that crashed an actor survive restarts, with the crash file, until they are dropped or redelivered."));
}

function crashesCard() {
  const rows = crashes?.data ?? [];
  return card("Crashes, newest first", crashes?.trouble && h("p", {class: "alarm"}, crashes.trouble),
    table([
      ["At", (c) => time(c.time, {seconds: true})], ["Actor", (c) => `${c.actor}, incarnation ${c.life}`], ["Over", (c) => c.kind], ["Cause", (c) => (c.outcome === "hung" ? `hung: ${c.cause}` : c.cause), "wide"],
      ["Report", (c) => h("details", {}, h("summary", {}, c.id), h("p", {class: "why"}, c.holds), c.details && h("pre", {class: "story"}, c.details),
        h("p", {class: "why"}, "All details, and a replay of the actor in a debugger:"), h("pre", {class: "story"}, `${c.show}\n${c.replay}`)), "wide"],
    ], rows, {caption: "Crashes", empty: crashes?.isLoaded ? "No crashes." : "Loading …", rowId: (c) => `crash-${c.id}`}));
}

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

// Those that are alike stand under a line that sums them up.
function grouped(kind, actors) {
  const running = actors.filter((a) => a.is_running).length, sum = (figure) => actors.reduce((total, a) => total + figure(a), 0);
  const rate = sum((a) => rates(a.address).at(-1) ?? 0).toFixed(1);
  return [{heading: `${kind}: ${running} of ${actors.length} running, ${sum((a) => a.restarts)} restarts, ${sum((a) => a.depth)} messages waiting, ${rate} messages/s`}, ...actors];
}

export function render(context, view) {
  note(view);
  const single = view.actors.filter((a) => !a.address.includes("/"));
  const kinds = [...new Set(view.actors.filter((a) => a.address.includes("/")).map((a) => a.address.split("/")[0]))];
  const rows = [...single, ...kinds.flatMap((kind) => grouped(kind, view.actors.filter((a) => a.address.startsWith(`${kind}/`))))];
  const columns = [
    ["Actor", (a) => h("span", {class: a.address.includes("/") ? "child" : ""}, a.address)], ["State", state], ["Life", (a) => String(a.generation), "number"], ["Restarts", (a) => String(a.restarts), "number"],
    ["Waiting", (a) => h("span", {class: a.depth > 20 || a.oldest_s > 5 ? "alarm" : ""}, a.depth ? `${a.depth}, oldest ${a.oldest_s.toFixed(1)} s` : "0"), "number"],
    ["Messages/s", (a) => { const found = rates(a.address); return [spark(found), ` ${(found.at(-1) ?? 0).toFixed(1)}`]; }, "number"],
    ["p50", (a) => ms(a.p50_ms), "number"], ["p99", (a) => ms(a.p99_ms), "number"],
    ["Last failure", (a) => (a.last_failure ? [a.last_failure, a.crash_id && h("code", {}, ` bin/trace crash ${a.crash_id}`)] : "–")],
  ];
  columns.push(["", (a) => h("span", {class: "acts"},
    h("button", {type: "button", "aria-label": `Look at ${a.address}`, onclick: () => lookAt(context, a.address)}, "Look"),
    h("a", {class: "button", href: "/messages", "data-go": true, "aria-label": `Messages of ${a.address}`, onclick: () => only(a.address)}, "Messages"),
    context.isOperator && context.button("restart", a.address, "Restart", `Replaces ${a.address} with a new incarnation; the other actors keep running.`))]);
  const failed = view.actors.filter((a) => a.restarts || !a.is_running).length;
  return [
    h("h1", {class: "hidden"}, "Actors"),
    card("Supervision", facts(["Actors", String(view.actors.length)], ["Running", String(view.actors.filter((a) => a.is_running).length)], ["Restarted or down", String(failed)],
      ["Dead letters", String(view.dead_letters)], ["Messages handled", view.actors.reduce((sum, a) => sum + a.handled, 0).toLocaleString("en-US")])),
    lookedCard(context, view),
    card("supervisor", table(columns, rows, {caption: "Actors"})),
    crashesCard(),
    asideCard(context, view),
  ].filter(Boolean);
}
