// The newest messages between actors, with filters, and a pause.

import {card, h, here, table, utcText} from "./dom.js";
import {Loaded} from "./loaded.js";
import {clear, explain, whyCard} from "./why.js";

const KEPT = 300;
let loaded = null, kept = [], last = 0, isPaused = false, leftOut = 0;
const filters = {actor: "", kind: "", words: "", ticks: ""};

// What the page shows when it is entered next: the messages of one actor.
export function only(address) { Object.assign(filters, {actor: address, kind: "", words: ""}); }

export function enter(context) {
  clear();
  kept = []; last = 0; isPaused = false; leftOut = 0;
  loaded = new Loaded(context, "messages", 1000, () => ({...filters, after: last}));
}
export function leave() { loaded?.leave(); loaded = null; }

function take() {
  const found = loaded.data;
  if (!found || found.last === last || isPaused) return;
  last = found.last;
  leftOut += found.left_out;
  kept = [...found.messages.reverse(), ...kept].slice(0, KEPT);
}

function changed(context, name, value) {
  filters[name] = value;
  kept = []; last = 0; leftOut = 0;
  loaded.data = null;
  loaded.load();
  context.redraw();
}

const field = (context, name, title, hint) => h("label", {}, title,
  h("input", {id: `filter-${name}`, type: "search", placeholder: hint, value: filters[name], onchange: (event) => changed(context, name, event.target.value)}));

export function render(context) {
  if (!loaded) return [];
  take();
  return [
    h("h1", {class: "hidden"}, "Messages"),
    whyCard(context) ?? h("section", {id: "why", class: "none"}),
    card("Messages, newest first",
      h("div", {class: "filters"}, field(context, "actor", "Actor", "asset/BTC"), field(context, "kind", "Message", "CandleClosed"), field(context, "words", "Holds", "crashed"),
        h("label", {}, "Prices and polls", h("select", {id: "filter-ticks", onchange: (event) => changed(context, "ticks", event.target.value)}, h("option", {value: "", selected: !filters.ticks}, "left out"), h("option", {value: "1", selected: !!filters.ticks}, "shown"))),
        h("button", {type: "button", "aria-pressed": String(isPaused), onclick: () => { isPaused = !isPaused; context.redraw(); }}, isPaused ? "Go on" : "Pause")),
      loaded.note(),
      leftOut ? h("p", {class: "why"}, `${leftOut.toLocaleString("en-US")} messages came too fast and are not shown; bin/trace tail shows all.`) : null,
      table([
        ["At", (m) => h("time", {title: here(m.time)}, utcText(m.time, {seconds: true}).slice(5)), "tight"], ["From > to", (m) => `${m.sender} > ${m.receiver}`], ["Message", (m) => h("b", {}, m.kind)], ["Holds", (m) => h("span", {class: "why"}, m.text), "wide"],
        ["Waited", (m) => m.waited, "number"], ["Outcome", (m) => h("span", {class: m.is_well ? "" : "alarm"}, m.outcome), "outcome"],
        ["", (m) => h("button", {type: "button", onclick: () => explain(context, m.id), "aria-label": `Why message ${m.id}`}, "Why?")],
      ], kept.slice(0, 100), {caption: "Messages", empty: "No matching messages yet.", rowId: (m) => `message-${m.number}`})),
  ];
}
