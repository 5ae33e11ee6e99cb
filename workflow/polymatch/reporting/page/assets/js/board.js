// The leaderboard: all models, filtered and sorted, and how fast they are for what they find.

import { BASELINE, BOARD, DATA, FAMILIES, modelAddress, named } from "./data.js";
import { drawn, h, say, section, select } from "./element.js";
import { fixed, interval, megabytes, milliseconds, probability, short, signed } from "./numbers.js";
import { chart, axisNumber, decades, SIGNS } from "./chart.js";
import { sortedTable } from "./table.js";

const MARKS = {
  better: ["▲", "better"],
  worse: ["▼", "worse"],
  "no significant difference": ["=", "no significant difference"],
  itself: ["•", "itself"],
  "other queries": ["–", "other queries, not tested"],
};

/** A verdict of a test: a sign, with what it means for who points at it or listens. */
export function verdict(row, place) {
  const [sign, meaning] = MARKS[row[`vs_${place}`]] ?? ["–", "not tested"];
  const tested = ["better", "worse", "="].includes(meaning) || sign === "=";
  const p = row[`p_vs_${place}`];
  const text = tested ? `${meaning}, ${probability(p)}` : meaning;
  return h("span", { class: `mark ${meaning.split(" ")[0]}`, title: text }, h("span", { "aria-hidden": "true" }, sign), h("span", { class: "unseen" }, text), tested ? h("span", { class: "p", "aria-hidden": "true" }, p < 0.001 ? "<.001" : p.toFixed(3).replace(/^0/, "")) : null);
}

function whisker(row, metric, low, high) {
  const x = (value) => 2 + ((value - low) / (high - low || 1)) * 76;
  const [lo, at, hi] = [row[`${metric}_lo`], row[metric], row[`${metric}_hi`]];
  if (lo === null || lo === undefined) return null;
  return drawn(
    "svg",
    { class: "whisker", width: 80, height: 14, viewBox: "0 0 80 14", "aria-hidden": "true" },
    drawn("line", { x1: x(lo), x2: x(hi), y1: 7, y2: 7 }),
    drawn("circle", { cx: x(at), cy: 7, r: 3.2 }),
  );
}

function metricColumn(metric, label, hint, bounded = false) {
  const low = Math.min(...BOARD.map((row) => row[`${metric}_lo`] ?? row[metric]));
  const high = Math.max(...BOARD.map((row) => row[`${metric}_hi`] ?? row[metric]));
  return {
    name: metric,
    label,
    hint,
    numeric: true,
    value: (row) => row[metric],
    cell: (row) =>
      bounded
        ? h("span", { class: "bounded" }, h("span", { class: "value" }, fixed(row[metric])), h("small", {}, interval(row[`${metric}_lo`], row[`${metric}_hi`])), metric === "rsum" ? whisker(row, metric, low, high) : null)
        : fixed(row[metric]),
  };
}

function columns() {
  const has = (name) => BOARD.some((row) => row[name] !== null && row[name] !== undefined);
  const plain = (name, label, hint, write = short, ascending = false) => (has(name) ? [{ name, label, hint, numeric: true, ascending, value: (row) => row[name], cell: (row) => write(row[name]) }] : []);
  const text = (name, label, hint) => ({ name, label, hint, ascending: true, value: (row) => row[name], cell: (row) => row[name] });
  return [
    {
      name: "model",
      label: "model",
      hint: "model and the similarity that it is scored by",
      ascending: true,
      head: true,
      value: (row) => named(row),
      cell: (row) => h("a", { href: modelAddress(row) }, row.model, h("small", {}, row.similarity)),
    },
    metricColumn("rsum", "R-sum", "sum of R@1, R@5 and R@10 of both directions, with its 95% interval over test items", true),
    metricColumn("t2v_r1", "t2v R@1", "text to visual: right answer first, % of queries, with its 95% interval", true),
    metricColumn("t2v_r5", "R@5", "text to visual: among the first 5, %"),
    metricColumn("t2v_r10", "R@10", "text to visual: among the first 10, %"),
    metricColumn("v2t_r1", "v2t R@1", "visual to text: right answer first, %, with its 95% interval", true),
    metricColumn("v2t_r5", "R@5", "visual to text: among the first 5, %"),
    metricColumn("v2t_r10", "R@10", "visual to text: among the first 10, %"),
    {
      name: "rsum_vs_baseline",
      label: "vs baseline",
      hint: `paired test of the R-sum against ${BASELINE ? named(BASELINE) : "the baseline"}, corrected for the number of rows; sorted by the difference`,
      value: (row) => row.rsum_vs_baseline,
      cell: (row) => verdict(row, "baseline"),
    },
    {
      name: "p_vs_best",
      label: "vs best",
      hint: "paired test of the R-sum against the first row, corrected for the number of rows",
      value: (row) => row.p_vs_best,
      cell: (row) => verdict(row, "best"),
    },
    ...plain("latency_ms", "latency", "median time to encode all test captions and score them against the encoded gallery", milliseconds, true),
    ...plain("memory_mb", "memory", "peak of the measuring process", megabytes, true),
    ...plain("parameters", "parameters", "of the trained head", short, true),
    ...plain("t2v_asp", "t2v ASP", "average semantic precision, %", fixed),
    ...plain("t2v_pmrp", "t2v PMRP", "plausible-match R-precision, %", fixed),
    ...(has("deployable")
      ? [{ name: "deployable", label: "deployable", hint: "99% of R@1 is kept in the analog simulation at 8 bits, and no random numbers are needed (a simulation, not a chip); the share that is kept", value: (row) => row.simulated_r1_retained, cell: (row) => (row.deployable === null ? "–" : `${row.deployable ? "yes" : "no"} (${Math.round(row.simulated_r1_retained * 100)}%)`) }]
      : []),
    text("family", "family", "family of models"),
    { ...text("seeds", "seeds", "runs whose mean is shown"), numeric: true, ascending: false },
    text("protocol", "protocol", "split and captions that the figures stand for"),
  ];
}

export function boardView() {
  const filter = { family: "all", text: "", protocol: "all" };
  const table = sortedTable({
    caption: `Leaderboard of ${DATA.data.name}`,
    columns: columns(),
    rows: BOARD,
    by: "rsum",
    rowAttributes: (row) => ({ class: row.key === DATA.baseline ? "baseline" : null, "data-key": row.key }),
  });
  const count = h("span", { class: "count" });
  const apply = () => {
    const wanted = filter.text.trim().toLowerCase();
    const rows = BOARD.filter(
      (row) =>
        (filter.family === "all" || row.family === filter.family) &&
        (filter.protocol === "all" || row.protocol === filter.protocol) &&
        `${row.model} ${row.similarity} ${row.family} ${row.protocol}`.toLowerCase().includes(wanted),
    );
    table.show(rows);
    count.textContent = `${rows.length} of ${BOARD.length} rows`;
    say(count.textContent);
  };
  const protocols = [...new Set(BOARD.map((row) => row.protocol))];
  const search = h("input", { type: "search", id: "filter", autocomplete: "off", oninput: (event) => ((filter.text = event.target.value), apply()) });
  count.textContent = `${BOARD.length} rows`;
  const { data } = DATA;
  return [
    h("h1", {}, "Leaderboard"),
    h(
      "p",
      { class: "lead" },
      `${data.name}, ${data.encoder}: ${data.items.toLocaleString("en")} test items and ${data.captions.toLocaleString("en")} distinct captions (${data.protocol}). Percentages are means over seeds with 95% intervals over test items. `,
      `R@1 by chance is about ${fixed(100 / data.items, 2)}.`,
    ),
    h(
      "div",
      { class: "filters" },
      h("label", { class: "field" }, h("span", {}, "Find"), search),
      FAMILIES.length > 1 ? select("Family", [["all", "all families"], ...FAMILIES.map((name) => [name, name])], "all", (value) => ((filter.family = value), apply())) : null,
      protocols.length > 1 ? select("Data", [["all", "all protocols"], ...protocols.map((name) => [name, name])], "all", (value) => ((filter.protocol = value), apply())) : null,
      count,
    ),
    table.element,
    h(
      "p",
      { class: "note" },
      "▲ better, ▼ worse, = no significant difference, each with its p-value: paired sign-flip tests of the R-sum on the same queries, corrected for the number of rows (Holm). ",
      BASELINE ? `The baseline is ${named(BASELINE)}. ` : "",
      "A column is sorted by its header.",
    ),
    section("R@1 against latency", latencyChart()),
  ];
}

function latencyChart() {
  const rows = BOARD.filter((row) => row.latency_ms > 0);
  if (rows.length < 2) return null;
  const sorted = [...rows].sort((a, b) => a.latency_ms - b.latency_ms || b.t2v_r1 - a.t2v_r1);
  const front = [];
  for (const row of sorted) if (!front.length || row.t2v_r1 > front.at(-1).t2v_r1) front.push(row);
  const onFront = new Set(front);
  const data = sorted.map((row) => ({ model: row.model, similarity: row.similarity, latency_ms: row.latency_ms, t2v_r1: row.t2v_r1, t2v_r1_lo: row.t2v_r1_lo, t2v_r1_hi: row.t2v_r1_hi, front: onFront.has(row) }));
  const symbol = (row) => SIGNS[FAMILIES.indexOf(row.family) % SIGNS.length];
  const styleOf = (name) => ({ stroke: `var(--s${FAMILIES.indexOf(name) % 8})`, symbol: SIGNS[FAMILIES.indexOf(name) % SIGNS.length], dash: "none" });
  return chart({
    title: "R@1 against latency",
    note: "Text to visual, 95% interval over items. Latency of one batch of all test captions. Dashed: the Pareto front, of models than which none is faster and better.",
    series: [...FAMILIES.map((name) => ({ label: name, style: styleOf(name), line: false })), { label: "Pareto front", style: { stroke: "var(--text)", dash: "5 4", symbol: "circle" }, sign: false }],
    rows: data,
    columns: ["model", "similarity", "latency_ms", "t2v_r1", "t2v_r1_lo", "t2v_r1_hi", "front"],
    file: "r1_latency.csv",
    make: (width) => ({
      height: Math.min(460, Math.max(320, width * 0.45)),
      marginRight: 24,
      marginBottom: 40,
      x: { type: "log", label: "latency (ms)", grid: true, ticks: decades(rows.map((row) => row.latency_ms)), tickFormat: axisNumber, nice: true },
      y: { label: "t2v R@1 (%)", grid: true, zero: true, nice: true },
      symbol: { type: "identity" },
      marks: [
        Plot.ruleX(rows, { x: "latency_ms", y1: "t2v_r1_lo", y2: "t2v_r1_hi", stroke: (row) => styleOf(row.family).stroke, strokeOpacity: 0.4 }),
        Plot.line(front, { x: "latency_ms", y: "t2v_r1", curve: "step-after", strokeDasharray: "5 4", stroke: "var(--text)" }),
        Plot.dot(rows, { x: "latency_ms", y: "t2v_r1", symbol, r: 5, stroke: (row) => styleOf(row.family).stroke, fill: (row) => (onFront.has(row) ? styleOf(row.family).stroke : "var(--panel)"), strokeWidth: 1.75, href: modelAddress, ariaLabel: named }),
        ...labelled(front, width).map((row) => Plot.text([row], { x: "latency_ms", y: "t2v_r1", text: named, dy: -13, fontWeight: 600, stroke: "var(--panel)", fill: "var(--text)", strokeWidth: 4, textAnchor: row === sorted[0] ? "start" : row === sorted.at(-1) ? "end" : "middle" })),
        Plot.tip(rows, Plot.pointer({ x: "latency_ms", y: "t2v_r1", title: (row) => `${named(row)}\nR@1 ${fixed(row.t2v_r1)} ${interval(row.t2v_r1_lo, row.t2v_r1_hi)}\n${milliseconds(row.latency_ms)}`, fill: "var(--panel)" })),
      ],
    }),
  });
}

// On a narrow screen names of all would cover each other.
const labelled = (front, width) => (width > 640 ? front : [front.at(-1)]);

export const differenceText = (row) => (row.rsum_vs_baseline === null || row.rsum_vs_baseline === undefined ? "" : `${signed(row.rsum_vs_baseline)} R-sum ${interval(row.rsum_vs_baseline_lo, row.rsum_vs_baseline_hi)}`);
