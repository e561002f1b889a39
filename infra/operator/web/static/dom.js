// Elements, and how an element on the page becomes like a new one without losing focus or scroll.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Elements with data-keep are filled by others (charts) and are left as they are.
export function morph(old, made) {
  if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName || old.id !== made.id) {
    old.replaceWith(made);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  if (old.hasAttribute("data-keep")) return;
  for (const {name} of [...old.attributes]) if (!made.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const {name, value} of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.onclick = made.onclick;
  morphChildren(old, made);
}

// A child with an id stays the same element wherever it goes: what is opened in it stays open.
export function morphChildren(old, made) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const after = [...made.childNodes], wanted = new Set(after.map((child) => child.id).filter(Boolean));
  after.forEach((child, index) => {
    const place = old.childNodes[index] ?? null, mine = child.id ? known.get(child.id) : null;
    if (mine) {
      if (mine !== place) old.insertBefore(mine, place);
      morph(mine, child);
    } else if (!place || child.id || wanted.has(place.id)) old.insertBefore(child, place);
    else morph(place, child);
  });
  while (old.childNodes.length > after.length) old.lastChild.remove();
}

// A choice among values, [value, text] or a word alone; the first one lets all pass.
export const choice = (id, title, chosen, values, onchange) => h("label", {}, title,
  h("select", {id, onchange: (event) => onchange(event.target.value)}, [["", "all"], ...values.map((value) => (Array.isArray(value) ? value : [value, value]))].map(([value, text]) => h("option", {value, selected: chosen === value}, text))));

export const input = (id, title, value, onchange, more = {}) => h("label", {}, title, h("input", {id, value, oninput: (event) => onchange(event.target.value), ...more}));

const MANY = 25; // Rows that a table shows without a scroll bar of its own.

// columns: [title, row => cell, class]; a row with a heading is a line over those below it. Where there is no room each row becomes a card, but in narrow tables, and where
// rows are compared with one another (isSide): those keep their first column in sight.
export function table(columns, rows, {caption, empty = "Nothing yet.", rowClass, rowId, isSide = columns.length < 4} = {}) {
  if (!rows.length) return h("p", {class: "empty"}, empty);
  const head = h("tr", {}, columns.map(([title, , kind]) => h("th", {scope: "col", class: kind}, title)));
  const body = rows.map((row) => row.heading ? h("tr", {class: "heading"}, h("th", {scope: "rowgroup", colspan: columns.length}, row.heading)) :
    h("tr", {class: rowClass?.(row), id: rowId?.(row)}, columns.map(([title, cell, kind]) => h("td", {class: kind, "data-label": title}, cell(row)))));
  const kind = isSide ? "side" : columns.length > 9 ? "stacks many" : "stacks";
  return h("div", {class: `scroll ${kind} ${rows.length > MANY ? "long" : ""}`, tabindex: "0", role: "region", "aria-label": caption},
    h("table", {}, caption && h("caption", {}, caption), h("thead", {}, head), h("tbody", {}, body)));
}

const two = (number) => String(number).padStart(2, "0");

export function utcText(ms, {seconds = false} = {}) {
  const time = new Date(ms);
  const day = `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
  return `${day} ${two(time.getUTCHours())}:${two(time.getUTCMinutes())}${seconds ? `:${two(time.getUTCSeconds())}` : ""}`;
}

// A length in its two greatest units, as the server writes it: 5h 37m.
export function lasting(ms) {
  if (ms < 60000) return `${(ms / 1000).toFixed(1)}s`;
  const minutes = Math.floor(ms / 60000);
  const parts = [[Math.floor(minutes / 1440), "d"], [Math.floor(minutes / 60) % 24, "h"], [minutes % 60, "m"]];
  const first = parts.findIndex(([count]) => count);
  return parts.slice(first, first + 2).filter(([count]) => count).map(([count, unit]) => `${count}${unit}`).join(" ");
}

// A time in the user's own zone, for a hover.
export const here = (ms) => new Date(ms).toLocaleString([], {dateStyle: "medium", timeStyle: "medium"}) + ` ${zone(ms)}`;
const zone = (ms) => new Intl.DateTimeFormat([], {timeZoneName: "short"}).formatToParts(ms).find((part) => part.type === "timeZoneName").value;

// A time in UTC, with the user's own zone on hover.
export function time(ms, options) {
  if (ms === null || ms === undefined) return "–";
  const [day, clock] = utcText(ms, options).split(" ");
  return h("time", {datetime: new Date(ms).toISOString(), title: here(ms)},
    h("span", {class: "tight"}, day), " ", h("span", {class: "tight"}, clock));
}

export function signed(text, sign) {
  const mark = sign > 0 ? "▲ " : sign < 0 ? "▼ " : "";
  return h("span", {class: sign > 0 ? "gain" : sign < 0 ? "loss" : ""}, mark, text || "–");
}

export const card = (title, ...children) => h("section", {class: "card"}, h("h2", {}, title), children);

export const facts = (...pairs) =>
  h("dl", {class: "facts"}, pairs.filter(Boolean).map(([name, value, kind]) => h("div", {class: kind}, h("dt", {}, name), h("dd", {}, value))));
