// The frame around all pages: who, which run, where to, and above all the state of the system.

import {h, here, morphChildren, time, utcText} from "./dom.js";
import {Live, ask} from "./live.js";
import {press, pressButton} from "./press.js";
import * as actors from "./actors.js";
import * as asset from "./asset.js";
import * as audit from "./audit.js";
import * as backtest from "./backtest.js";
import * as compare from "./compare.js";
import * as health from "./health.js";
import * as messages from "./messages.js";
import * as orders from "./orders.js";
import * as portfolio from "./portfolio.js";
import * as risk from "./risk.js";
import * as trades from "./trades.js";

const PAGES = [
  ["", "Portfolio", portfolio], ["asset", "", asset], ["compare", "Compare", compare], ["risk", "Risk", risk], ["trades", "Trades", trades], ["orders", "Orders", orders],
  ["actors", "Actors", actors], ["messages", "Messages", messages], ["health", "Health", health], ["audit", "Audit", audit], ["backtest", "Backtest", backtest],
];
const me = await fetch("/api/me").then((answer) => (answer.ok ? answer.json() : location.assign("/login")));
const chosen = new URLSearchParams(location.search).get("run");
const context = {me, run: me.runs.includes(chosen) ? chosen : me.runs[0], isOperator: me.role === "operator"};
context.ask = (question, query) => ask(question, context.run, query);
context.press = (command, argument, words) => press(context, command, argument, words);
context.button = (...given) => pressButton(context, ...given);
context.redraw = () => draw();
let current = null, linked = null;

function pageOf(path) {
  const [first, name] = path.replace(/^\/+/, "").split("/");
  const found = PAGES.find(([where]) => where === first) ?? PAGES[0];
  return {module: found[2], where: found[0], name: name && decodeURIComponent(name)};
}

function go(path, isBack = false) {
  if (!isBack) history.pushState(null, "", path + location.search);
  current?.module.leave?.();
  current = pageOf(location.pathname);
  document.getElementById("page").replaceChildren();
  current.module.enter?.(context, current.name);
  linked = null;
  draw();
}

// On a phone the links are wider than the screen: the one of this page is brought into sight, and again once the assets are known.
function showWhere(view) {
  const links = `${Object.keys(view.assets ?? {})}`;
  if (linked === links) return;
  linked = links;
  for (const row of document.querySelectorAll("#nav .row")) {
    const here = row.querySelector(".here");
    if (here) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
  document.getElementById("page").focus({preventScroll: true});
  scrollTo(0, 0);
});
addEventListener("popstate", () => go(location.pathname, true));

const link = (href, text, isHere) =>
  h("a", {href, "data-go": true, "aria-current": isHere ? "page" : null, class: isHere ? "here" : ""}, text);

function theme() {
  const now = document.documentElement.dataset.theme;
  const next = now === "dark" ? "light" : now === "light" ? "" : "dark";
  localStorage.setItem("theme", next);
  applyTheme(next);
  draw();
}

function applyTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

async function logOut() {
  await fetch("/logout", {method: "POST", headers: {"X-CSRF-Token": me.csrf}});
  location.assign("/login");
}

function bar(view) {
  const runs = me.runs.length > 1
    ? h("label", {}, "Run ", h("select", {onchange: (event) => location.assign(`${location.pathname}?run=${encodeURIComponent(event.target.value)}`)},
        me.runs.map((name) => h("option", {value: name, selected: name === context.run}, name))))
    : h("span", {class: "run"}, context.run);
  const name = document.documentElement.dataset.theme || "system";
  return [
    h("strong", {class: "mode"}, (view.mode ?? "").toUpperCase() || "–"), runs,
    h("span", {class: "account", title: "Where orders go"}, view.account ?? ""),
    h("span", {class: "clock", title: view.now_ms ? `Trading clock; ${here(view.now_ms)}` : "Trading clock"}, view.now_ms ? `${utcText(view.now_ms, {seconds: true})} UTC` : ""),
    h("span", {class: "who"}, `${me.user} (${me.role})`),
    h("button", {type: "button", class: "quiet", onclick: theme, "aria-label": `Colours: ${name}; change`}, `◐ ${name}`),
    h("button", {type: "button", class: "quiet", onclick: logOut}, "Log out"),
  ];
}

// The assets come with the first view: in a row of their own, they move no other link.
function nav(view) {
  const pages = PAGES.filter(([where]) => where !== "asset").map(([where, title]) => link(`/${where}`, title, current.where === where));
  const assets = Object.keys(view.assets ?? {}).map((name) =>
    link(`/asset/${encodeURIComponent(name)}`, name, current.where === "asset" && current.name === name));
  return [h("div", {class: "row"}, pages), h("div", {class: "row assets"}, assets)];
}

function banner(live) {
  const view = live.view, trouble = live.trouble;
  if (trouble !== null) {
    const since = live.isOpen ? live.answeredMs : live.heardMs;
    const text = since === null || since === undefined ? "no answer yet" : ["no answer since ", h("b", {}, time(since, {seconds: true})), " UTC"];
    const shown = view.ended_ms ? ["The data below is as of ", time(view.ended_ms), " UTC, from the journal."] : "The data below is out of date.";
    return [h("div", {class: "state DOWN"}, h("span", {}, h("b", {}, "DOWN"), " ", text, ` – ${trouble}. `, shown))];
  }
  if (!view.state) return [h("div", {class: "state"}, "The system is starting …")];
  const portfolio = view.portfolio ?? {};
  const acts = context.isOperator && h("span", {class: "acts"},
    portfolio.is_panic || portfolio.is_halted
      ? context.button("rearm", "", "Rearm", "Ends a panic or a halt: entries are allowed again.")
      : null,
    context.button("pause", "all", "Pause all", "Opens no new positions until resumed. Open positions stay under their stops."),
    (portfolio.paused ?? []).length ? context.button("resume", "all", "Resume all", "Ends all pauses.") : null,
    context.button("panic", "", "PANIC", "Cancels orders, closes every position, and opens nothing until rearmed.", "danger"));
  return [
    h("div", {class: `state ${view.state} ${view.reasons.length ? "noted" : ""}`}, h("b", {}, view.state), " ",
      view.reasons.length ? h("ul", {}, view.reasons.map((reason) => h("li", {}, reason.text))) : "all as it should be", acts),
  ];
}

function draw() {
  if (!current) return;
  const view = live.view;
  document.body.classList.toggle("stale", live.trouble !== null && !view.ended_ms);
  document.title = `${live.trouble === null ? view.state ?? "…" : "DOWN"} · ${context.run}`;
  const fill = (id, children) => morphChildren(document.getElementById(id), h("div", {}, children));
  fill("bar", bar(view));
  fill("nav", nav(view));
  showWhere(view);
  fill("banner", banner(live));
  const made = view.state
    ? current.module.render(context, view, current.name)
    : [h("p", {class: "empty"}, live.trouble ?? "The system is starting; there is no data yet.")];
  fill("page", made);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
addEventListener("resize", () => draw());
applyTheme(localStorage.getItem("theme") ?? "");
const live = new Live(context.run, draw);
context.live = live;
go(location.pathname, true);
