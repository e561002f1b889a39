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

function confirmed(title, words, shown, kind) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const end = (answer) => () => { dialog.close(); resolve(answer); };
    dialog.replaceChildren(
      h("h2", {id: "dialog-title"}, title), h("p", {}, words),
      shown && h("p", {class: "shown"}, `Open as shown: ${shown}`),
      h("div", {class: "acts"},
        h("button", {type: "button", onclick: end(false)}, "Cancel"),
        h("button", {type: "button", class: kind || "primary", id: "confirm", onclick: end(true)}, title)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}

// Returns [whether it was done, what was answered].
export async function send(context, command, argument, shown) {
  const body = {act_id: newId(), command, argument, shown};
  const answer = await fetch(`/api/press?${new URLSearchParams({run: context.run})}`,
    {method: "POST", headers: {"X-CSRF-Token": context.me.csrf}, body: JSON.stringify(body)});
  if (answer.status === 401) location.assign("/login");
  return [answer.ok, await answer.json()];
}

export async function press(context, command, argument, {title, words, kind}) {
  const shown = {...(context.live.view.shown ?? {})};
  const listed = Object.entries(shown).map(([asset, qty]) => `${asset} ${qty}`).join(", ") || "nothing";
  if (!(await confirmed(title, words, listed, kind))) return;
  try {
    const [isDone, said] = await send(context, command, argument, shown);
    toast(said.title, isDone ? "done" : "refused");
  } catch {
    toast("The page does not answer; whether it was done is not known.", "refused");
  }
}

export function pressButton(context, command, argument, title, words, kind = "") {
  const label = `${title}${argument && argument !== "all" ? ` ${argument}` : ""}`;
  return h("button", {type: "button", class: kind, "aria-label": label,
    onclick: () => press(context, command, argument, {title: label, words, kind})}, title);
}
