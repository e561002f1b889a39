// Plotly, loaded once somebody looks at a chart; what all charts share.

let loading = null;

export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/plotly.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { loading = null; reject(new Error("the charts' library cannot be loaded")); };
    document.head.append(script);
  });
  return loading;
}

export function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["page", "card", "ink", "dim", "line", "blue", "blue-soft", "gain", "loss", "bad", "ok", "warn", "heat-low", "heat-high"]
    .map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// Many lines are told apart by colour and, for who sees few colours, by their dashes.
const LINES = ["#0b7fb8", "#c0701f", "#1f9d80", "#9a72e0", "#c85a90", "#8a8f2a", "#5b6ee1", "#b04848", "#3f8f3f", "#7d7d7d", "#d08a00", "#5aa0a0"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
export const lineOf = (place) => ({line: {color: LINES[place % LINES.length], width: 1.7, dash: DASHES[place % 4]}});

// What a drawing depends on beside its data: colours, and whether there is room.
export const look = () => `${colours().card}/${innerWidth < 700}/${innerWidth < 1250}`;

export function layout(more = {}) {
  const c = colours();
  const axis = {gridcolor: c.line, linecolor: c.line, zerolinecolor: c.line, tickfont: {color: c.dim}};
  const narrow = innerWidth < 700;
  const {xaxis, yaxis, ...others} = more;
  const times = !xaxis?.type && {tickangle: 0, nticks: narrow ? 3 : innerWidth < 1250 ? 5 : 9}; // Turned ones are cut off.
  return {
    paper_bgcolor: c.card, plot_bgcolor: c.card, font: {color: c.ink, family: "system-ui, sans-serif", size: 12},
    margin: {l: 10, r: narrow ? 62 : 70, t: 10, b: 46}, showlegend: true, legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0},
    hovermode: "closest", hoverlabel: {align: "left"}, dragmode: narrow ? false : "pan", uirevision: "kept",
    xaxis: {...axis, type: "date", rangeslider: {visible: false}, ...times, ...xaxis},
    yaxis: {...axis, side: "right", fixedrange: false, ...yaxis},
    ...others,
  };
}

export const options = {responsive: true, displaylogo: false, scrollZoom: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], toImageButtonOptions: {format: "png"}};

// Draws again only while the element is on the page; one drawing at a time.
export async function draw(element, traces, made, more = {}) {
  const library = await plotly();
  if (!element.isConnected) return;
  await library.react(element, traces, made, {...options, ...more});
}

export const iso = (ms) => new Date(ms).toISOString().slice(0, 19);
