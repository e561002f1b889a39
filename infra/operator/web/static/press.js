// What an operator presses: asked once more, then sent with the positions that were shown.

import {h} from "./dom.js";

export function toast(text, kind = "") {
  const made = h("div", {class: `toast ${kind}`}, text);
  document.getElementById("toasts").append(made);
  setTimeout(() => made.remove(), 8000);
}

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What has to be typed; where nothing has, a second press is enough.
const wordOf = (command, argument) => ({liquidate: argument, rearm: "rearm"})[command] ?? null;

function typing(word) {
  const confirm = () => document.getElementById("confirm");
  return h("label", {class: "typed"}, "Type ", h("b", {}, word), " to confirm",
    h("input", {id: "typed", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      oninput: (event) => { confirm().disabled = event.target.value.trim().toLowerCase() !== word.toLowerCase(); },
      onkeydown: (event) => { if (event.key === "Enter" && !confirm().disabled) confirm().click(); }}));
}

function confirmed(title, words, shown, kind, word) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const end = (answer) => () => { dialog.close(); resolve(answer); };
    dialog.replaceChildren(
      h("h2", {id: "dialog-title"}, title), h("p", {}, words),
      shown && h("p", {class: "shown"}, `Open as shown: ${shown}`),
      word && typing(word),
      h("div", {class: "acts"},
        h("button", {type: "button", onclick: end(false)}, "Cancel"),
        h("button", {type: "button", class: kind || "primary", id: "confirm", disabled: Boolean(word), onclick: end(true)}, title)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}

// Returns [whether it was done, what was answered].
export async function send(context, command, argument, shown, typed = "") {
  const body = {act_id: newId(), command, argument, shown, typed};
  const answer = await fetch(`/api/press?${new URLSearchParams({run: context.run})}`,
    {method: "POST", headers: {"X-CSRF-Token": context.me.csrf}, body: JSON.stringify(body)});
  if (answer.status === 401) location.assign("/login");
  return [answer.ok, await answer.json()];
}

export async function press(context, command, argument, {title, words, kind}) {
  const shown = {...(context.live.view.shown ?? {})};
  const listed = Object.entries(shown).map(([asset, qty]) => `${asset} ${qty}`).join(", ") || "nothing";
  const word = wordOf(command, argument);
  if (!(await confirmed(title, words, listed, kind, word))) return;
  try {
    const [isDone, said] = await send(context, command, argument, shown, word ?? "");
    toast(said.title, isDone ? "done" : "refused");
  } catch {
    toast("The page does not answer; it is not known whether it was carried out.", "refused");
  }
}

export function pressButton(context, command, argument, title, words, kind = "") {
  const label = `${title}${argument && argument !== "all" ? ` ${argument}` : ""}`;
  return h("button", {type: "button", class: kind, "aria-label": label,
    onclick: () => press(context, command, argument, {title: label, words, kind})}, title);
}
