// Where over the moments a surrogate can be trusted.

import { DATA } from "./data.js";
import { axisNumber, chart, decades } from "./chart.js";

const MAPS = [
  ["logit_error", "Error of the logit", [1e-3, 1e-2, 1e-1, 1, 10, 100]],
  ["probability_error", "Error of the probability", [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]],
];

/** Borders between the places of a logarithmic axis. */
function borders(at) {
  const step = Math.sqrt(at[1] / at[0]);
  return at.map((value) => [value / step, value * step]);
}

export function errorMaps(model) {
  const name = DATA.models[model].surrogate;
  const map = DATA.errors?.[name];
  if (!map) return [];
  const [ed, spread] = [borders(map.ed), borders(map.spread)];
  const cells = map.spread.flatMap((s, j) =>
    map.ed.map((e, i) => {
      const at = j * map.ed.length + i;
      return { ed: e, spread: s, logit_error: map.logit_error[at], probability_error: map.probability_error[at], inside: Boolean(map.inside[at]), x1: ed[i][0], x2: ed[i][1], y1: spread[j][0], y2: spread[j][1] };
    }),
  );
  const domain = (list) => [list[0][0], list.at(-1)[1]];
  return MAPS.map(([column, title, levels]) => {
    const shades = [...levels, null].map((_, i) => `var(--r${i})`);
    const labels = [`< ${power(levels[0])}`, ...levels.slice(1).map((high, i) => `${power(levels[i])} to ${power(high)}`), `> ${power(levels.at(-1))}`];
    return chart({
      title,
      note: `Of ${name === model ? "its surrogate" : `the surrogate that it shares with ${name}`} against the exact match probability, over the mean of the squared distance and its relative spread. Dashed: where the fitted region ends; dots: pairs of the teacher.`,
      series: labels.map((label, i) => ({ label, style: { stroke: "var(--line)", symbol: "square", dash: "none", fill: shades[i] }, line: false })),
      rows: cells,
      columns: ["ed", "spread", "logit_error", "probability_error", "inside"],
      file: `${name}.error_map.csv`,
      make: (width) => ({
        height: Math.min(380, Math.max(280, width * 0.75)),
        marginLeft: 52,
        x: { type: "log", label: "ed: expected squared distance / D", domain: domain(ed), ticks: decades(map.ed, domain(ed)), tickFormat: axisNumber },
        y: { type: "log", label: "√vd / ed: relative spread", domain: domain(spread), ticks: decades(map.spread, domain(spread)), tickFormat: axisNumber },
        marks: [
          Plot.rect(cells, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: (cell) => shades[levels.filter((level) => cell[column] >= level).length], shapeRendering: "crispEdges" }),
          Plot.dot(map.pairs, { x: "0", y: "1", r: 1.8, fill: "var(--panel)", stroke: "var(--text)", strokeWidth: 0.6, clip: true }),
          Plot.line(map.edge, { x: "0", y: "1", stroke: "var(--s1)", strokeWidth: 2.2, strokeDasharray: "7 2", clip: true }),
          Plot.tip(cells, Plot.pointer({ x: "ed", y: "spread", title: (cell) => `ed ${axisNumber(cell.ed)}, spread ${axisNumber(cell.spread)}\nerror ${cell[column] === null ? "–" : cell[column].toPrecision(2)}${cell.inside ? "" : "\noutside the fitted region"}`, fill: "var(--panel)" })),
        ],
      }),
    });
  });
}

const power = (value) => (value >= 0.01 && value <= 100 ? String(value) : `1e${Math.round(Math.log10(value))}`);
