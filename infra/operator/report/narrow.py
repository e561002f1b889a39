"""Layout for narrow screens: plots are stacked, and legends get more room."""

STACK_SCRIPT = """
for (const plot of innerWidth < 700 ? document.querySelectorAll('.js-plotly-plot') : []) {
  const layout = plot.layout, {xaxis, xaxis2, yaxis2, xaxis3} = layout;
  const legend = plot.querySelector('.legend .bg');
  const lacks = legend ? legend.getBoundingClientRect().height + 8 - layout.margin.t : 0;
  if (lacks > 0) {
    plot.parentElement.style.height = `${layout.height + lacks}px`;
    Plotly.relayout(plot, {height: layout.height + lacks, 'margin.t': layout.margin.t + lacks});
  }
  if (layout.meta?.title?.startsWith('Monthly')) Plotly.restyle(plot, {texttemplate: '%{z:.0f}'});
  if (!xaxis2 || !yaxis2 || xaxis3 || xaxis.domain[1] > xaxis2.domain[0]) continue;
  plot.parentElement.style.height = `${1.9 * layout.height}px`;
  const change = {
    height: 1.9 * layout.height, 'xaxis.domain': [0, 1], 'xaxis2.domain': [0, 1],
    'yaxis.domain': [0.6, 1], 'yaxis2.domain': [0, 0.38],
  };
  (layout.annotations || []).slice(0, 2).forEach((_, place) => {
    change[`annotations[${place}].x`] = 0.5;
    change[`annotations[${place}].y`] = place ? 0.38 : 1;
  });
  if (layout.legend2) Object.assign(change,
    {'legend.x': 0.5, 'legend.y': 0.54, 'legend2.x': 0.5, 'legend2.y': -0.06});
  Plotly.relayout(plot, change);
}
"""
"""Script that runs at the end of the page, when all plots exist."""
