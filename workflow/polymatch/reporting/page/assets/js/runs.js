// Charts of one model and similarity.

import { BASELINE, DATA, DIRECTIONS, named, records } from "./data.js";
import { axisNumber, bandMarks, beside, chart, decades, lineMarks, look } from "./chart.js";
import { fixed } from "./numbers.js";

const PANELS = [
  ["Loss", [["loss", "train"], ["val_loss", "val"]]],
  ["R@1 on val (%)", [["val_t2v_r1", "text to visual"], ["val_v2t_r1", "visual to text"]]],
  ["R-sum on val", [["val_rsum", ""]]],
  ["Temperature", [["temperature", ""]]],
  ["Learning rate", [["lr", ""]]],
];

export function trainingCharts(row) {
  const histories = Object.entries(DATA.models[row.model].histories).map(([seed, table]) => [seed, records(table)]);
  return PANELS.flatMap(([title, lines]) => {
    const there = lines.filter(([name]) => histories.some(([, list]) => list.some((each) => each[name] !== null && each[name] !== undefined)));
    if (!there.length) return [];
    const late = ["Temperature", "Learning rate"].includes(title); // of the untrained model they say nothing
    const data = histories.flatMap(([seed, list], i) => there.flatMap(([name, label], j) => list.filter((each) => each[name] !== null && each[name] !== undefined && !(late && each.epoch === 0)).map((each) => ({ seed, i, j, quantity: name, label, epoch: each.epoch, value: each[name], kept: each.kept }))));
    const style = (i, j) => ({ ...look(i), dash: j === 0 ? "none" : "5 3" });
    return [
      chart({
        title,
        note: "Filled: the epoch whose weights were kept.",
        series: [...histories.map(([seed], i) => ({ label: `seed ${seed}`, style: style(i, 0) })), ...(there.length > 1 ? there.map(([, label], j) => ({ label, style: { stroke: "var(--text)", dash: j === 0 ? "none" : "5 3", symbol: "circle" }, sign: false })) : [])],
        rows: data,
        columns: ["seed", "epoch", "quantity", "value", "kept"],
        file: `${row.model}.curves.csv`,
        make: () => ({
          height: 240,
          x: { label: "epoch" },
          y: { label: null, grid: true, tickFormat: axisNumber, nice: true },
          symbol: { type: "identity" },
          marks: [
            ...histories.flatMap((_, i) => there.flatMap((__, j) => [Plot.line(data.filter((d) => d.i === i && d.j === j), { x: "epoch", y: "value", stroke: style(i, j).stroke, strokeDasharray: style(i, j).dash, strokeWidth: 1.75 })])),
            Plot.dot(data.filter((d) => d.kept), { x: "epoch", y: "value", symbol: (d) => style(d.i, d.j).symbol, fill: (d) => style(d.i, d.j).stroke, stroke: "var(--panel)", r: 5 }),
            Plot.tip(data, Plot.pointer({ x: "epoch", y: "value", title: (d) => `seed ${d.seed}, epoch ${d.epoch}\n${d.label || title} ${axisNumber(d.value)}`, fill: "var(--panel)" })),
          ],
        }),
      }),
    ];
  });
}

export function recallChart(row) {
  const own = records(DATA.rows[row.key]?.recall_curves);
  if (!own.length) return null;
  const other = BASELINE && BASELINE.key !== row.key ? records(DATA.rows[BASELINE.key]?.recall_curves) : [];
  const directions = Object.keys(DIRECTIONS);
  const of = (list, direction) => list.filter((each) => each.direction === direction);
  return chart({
    title: "R@K over K",
    note: "Mean over the runs, with 95% interval over items; dotted: chance.",
    series: [...directions.map((direction, i) => ({ label: DIRECTIONS[direction], style: look(i), sign: false })), ...(other.length ? [{ label: `${named(BASELINE)}, text to visual`, style: beside(), sign: false }] : [])],
    rows: own,
    columns: ["direction", "k", "recall", "recall_lo", "recall_hi", "chance"],
    file: `${row.model}.${row.similarity}.recall_curves.csv`,
    make: () => ({
      height: 300,
      x: { type: "log", label: "K", ticks: decades(own.map((each) => each.k)), tickFormat: axisNumber },
      y: { label: "queries with a right answer among the first K (%)", grid: true, domain: [0, 100] },
      marks: [
        ...directions.flatMap((direction, i) => [
          bandMarks(of(own, direction), "k", "recall_lo", "recall_hi", look(i)),
          Plot.line(of(own, direction), { x: "k", y: "recall", stroke: look(i).stroke, strokeDasharray: look(i).dash, strokeWidth: 2 }),
        ]),
        Plot.line(of(other, "t2v"), { x: "k", y: "recall", stroke: beside().stroke, strokeDasharray: beside().dash, strokeWidth: 1.5 }),
        Plot.line(of(own, "t2v"), { x: "k", y: "chance", stroke: "var(--muted)", strokeDasharray: "1 3" }),
        Plot.tip(own, Plot.pointer({ x: "k", y: "recall", title: (d) => `${DIRECTIONS[d.direction]}\nR@${d.k} ${fixed(d.recall)} [${fixed(d.recall_lo)}, ${fixed(d.recall_hi)}]`, fill: "var(--panel)" })),
      ],
    }),
  });
}

export function histogramChart(row) {
  const own = records(DATA.rows[row.key]?.rank_histograms);
  if (!own.length) return null;
  const label = (d) => (d.rank_from === d.rank_to ? String(d.rank_from) : `${d.rank_from}–${d.rank_to}`);
  const data = own.map((d) => ({ ...d, bin: label(d), name: DIRECTIONS[d.direction] }));
  const bins = [...new Set(data.map((d) => d.bin))];
  return chart({
    title: "Ranks of the right answer",
    note: "Share of queries whose best right answer is at these ranks, mean over the runs.",
    rows: data,
    columns: ["direction", "rank_from", "rank_to", "queries", "share"],
    file: `${row.model}.${row.similarity}.rank_histograms.csv`,
    make: (width) => ({
      height: 300,
      marginBottom: width < 640 ? 66 : 44,
      x: { label: width < 640 ? null : "rank", domain: bins, tickRotate: width < 640 ? -45 : 0 },
      fy: { label: null, domain: Object.values(DIRECTIONS), axis: null },
      y: { label: "% of queries", grid: true },
      marks: [
        Plot.barY(data, { x: "bin", y: "share", fy: "name", fill: (d) => look(Object.keys(DIRECTIONS).indexOf(d.direction)).stroke, fillOpacity: 0.75, insetLeft: 1, insetRight: 1 }),
        Plot.text(data.filter((d) => d.share > 0), { x: "bin", y: "share", fy: "name", text: (d) => (width < 480 ? "" : fixed(d.share)), dy: -7, fontSize: 11 }),
        Plot.text(Object.values(DIRECTIONS), { fy: (d) => d, text: (d) => d, frameAnchor: "top-right", fontWeight: 600 }),
        Plot.ruleY([0]),
      ],
    }),
  });
}

export function growthChart(row) {
  const own = records(DATA.rows[row.key]?.growth);
  if (!own.length) return null;
  const other = BASELINE && BASELINE.key !== row.key ? records(DATA.rows[BASELINE.key]?.growth) : [];
  const asked = [...new Set(own.map((each) => each.queries))];
  const name = (n) => (n === 1 ? "one query" : `${n} queries at once`);
  return chart({
    title: "A larger gallery",
    note: `Median latency with 95% interval. ${other.length ? `Dotted: ${named(BASELINE)}.` : ""}`,
    series: asked.map((n, i) => ({ label: name(n), style: look(i) })),
    rows: own,
    columns: own.length ? Object.keys(own[0]) : [],
    file: `${row.model}.${row.similarity}.growth.csv`,
    make: () => ({
      height: 300,
      marginLeft: 52,
      x: { type: "log", label: "items in the gallery", ticks: [...new Set(own.map((each) => each.gallery))], tickFormat: axisNumber },
      y: { type: "log", label: "latency (ms)", grid: true, ticks: decades([...own, ...other].map((each) => each.latency_ms)), tickFormat: axisNumber },
      marks: [
        ...asked.map((n) => Plot.line(other.filter((each) => each.queries === n), { x: "gallery", y: "latency_ms", stroke: beside().stroke, strokeDasharray: beside().dash })),
        ...asked.flatMap((n, i) => [Plot.ruleX(own.filter((each) => each.queries === n), { x: "gallery", y1: "latency_lo_ms", y2: "latency_hi_ms", stroke: look(i).stroke, strokeWidth: 3, strokeOpacity: 0.4 }), ...lineMarks(own.filter((each) => each.queries === n), "gallery", "latency_ms", look(i))]),
        Plot.tip(own, Plot.pointer({ x: "gallery", y: "latency_ms", title: (d) => `${axisNumber(d.gallery)} items, ${name(d.queries)}\n${axisNumber(d.latency_ms)} ms`, fill: "var(--panel)" })),
      ],
    }),
  });
}

const CONDITIONS = [
  ["adc_bits", "Converter bits", "bits of the analog-to-digital converters", "linear"],
  ["weight_noise", "Weight noise", "noise / largest weight", "linear"],
  ["drift_seconds", "Drift", "seconds since programming", "symlog"],
];

export function analogCharts(row) {
  const own = records(DATA.rows[row.key]?.analog);
  const digital = own.find((each) => each.condition === "digital");
  return CONDITIONS.flatMap(([condition, title, label, type]) => {
    const rows = own.filter((each) => each.condition === condition);
    if (!rows.length) return [];
    return [
      chart({
        title,
        note: "Simulated t2v R@1, mean and 95% interval over programmings; dashed: digital.",
        rows,
        columns: ["condition", "value", "simulated_t2v_r1", "simulated_t2v_r1_lo", "simulated_t2v_r1_hi"],
        file: `${row.model}.${row.similarity}.${condition}.csv`,
        make: () => ({
          height: 240,
          x: { label, type, ticks: type === "symlog" ? [0, 60, 3600, 86400, 31536000].filter((t) => t >= Math.min(...rows.map((each) => each.value)) && t <= Math.max(...rows.map((each) => each.value))) : rows.map((each) => each.value), tickFormat: type === "symlog" ? seconds : axisNumber, ...(type === "symlog" ? { constant: 10 } : {}) },
          y: { label: "R@1 (%)", grid: true, zero: true },
          marks: [
            digital ? Plot.ruleY([digital.simulated_t2v_r1], { strokeDasharray: "5 4", stroke: "var(--muted)" }) : null,
            Plot.ruleX(rows, { x: "value", y1: "simulated_t2v_r1_lo", y2: "simulated_t2v_r1_hi", stroke: look(0).stroke, strokeWidth: 3, strokeOpacity: 0.4 }),
            ...lineMarks(rows, "value", "simulated_t2v_r1", look(0)),
            Plot.tip(rows, Plot.pointer({ x: "value", y: "simulated_t2v_r1", title: (d) => `${type === "symlog" ? seconds(d.value) : axisNumber(d.value)}\nR@1 ${fixed(d.simulated_t2v_r1)}`, fill: "var(--panel)" })),
          ],
        }),
      }),
    ];
  });
}

function seconds(value) {
  const named = { 0: "0", 60: "1 min", 3600: "1 h", 86400: "1 day", 2592000: "30 d", 31536000: "1 year" };
  return named[value] ?? `${axisNumber(value)} s`;
}
