// Sweeps, studies, tables, teachers: what belongs to no single model.

import { DATA, records } from "./data.js";
import { h, section } from "./element.js";
import { fixed } from "./numbers.js";
import { axisNumber, chart, decades, look } from "./chart.js";
import { plainTable } from "./table.js";

export const HAS_STUDIES = ["sweeps", "tuning", "tables", "teachers", "external"].some((name) => DATA[name]);

export function studiesView() {
  return [
    h("h1", {}, "Sweeps, tuning and tables"),
    ...Object.entries(DATA.sweeps ?? {}).map(([name, table]) => section(`Sweep ${name}`, sweepChart(name, table))),
    ...Object.entries(DATA.tuning ?? {}).map(([name, table]) => section(`Study ${name}`, tuningChart(name, table))),
    ...Object.entries(DATA.tables ?? {}).map(([name, table]) => section(`Table ${name}`, plainTable(records(table), table.columns, name))),
    DATA.teachers ? section("Teachers and their surrogates", plainTable(records(DATA.teachers), DATA.teachers.columns, "Teachers")) : null,
    ...Object.entries(DATA.external ?? {}).map(([name, table]) => section(`Made elsewhere: ${name}`, plainTable(records(table), table.columns, name))),
  ].filter(Boolean);
}

function sweepChart(name, table) {
  const rows = records(table);
  const onGrid = rows.filter((row) => row.part === "grid");
  const said = (value) => (value === null ? "–" : String(value));
  // The key with most values is the axis; the others tell the lines apart.
  const keys = [...table.grid].sort((a, b) => new Set(onGrid.map((r) => said(r[b]))).size - new Set(onGrid.map((r) => said(r[a]))).size);
  const [axis, ...rest] = keys;
  const labelOf = (row) => [...rest.map((key) => `${key} ${said(row[key])}`), row.similarity].join(", ");
  const labels = [...new Set(onGrid.map(labelOf))];
  const data = onGrid.map((row) => ({ ...row, at: said(row[axis]), line: labelOf(row) }));
  const domain = [...new Set(data.map((row) => row.at))];
  const more = table.columns.filter((column) => !column.endsWith("_lo") && !column.endsWith("_hi"));
  const plot = !axis
    ? null
    : chart({
        title: `R-sum over ${axis}`,
        note: "Mean over seeds with 95% interval over items. Filled: the one that was chosen on val.",
        series: labels.slice(0, 8).map((label, i) => ({ label, style: look(i) })),
        rows: onGrid,
        columns: table.columns,
        file: `${name}.csv`,
        make: () => ({
          height: 320,
          marginBottom: 44,
          x: { type: "point", domain, label: axis },
          y: { label: "R-sum", grid: true, nice: true },
          symbol: { type: "identity" },
          marks: labels.slice(0, 8).flatMap((label, i) => {
            const own = data.filter((row) => row.line === label);
            return [
              Plot.ruleX(own, { x: "at", y1: "rsum_lo", y2: "rsum_hi", stroke: look(i).stroke, strokeOpacity: 0.35, strokeWidth: 3 }),
              Plot.line(own, { x: "at", y: "rsum", stroke: look(i).stroke, strokeDasharray: look(i).dash }),
              Plot.dot(own, { x: "at", y: "rsum", symbol: look(i).symbol, r: 4.5, stroke: look(i).stroke, fill: (row) => (row.chosen ? look(i).stroke : "var(--panel)"), title: (row) => `${row.model}, ${row.similarity}: ${fixed(row.rsum)}` }),
            ];
          }),
        }),
      });
  return [plot, h("details", { open: !plot }, h("summary", {}, "All combinations"), plainTable(rows, more, `Sweep ${name}`))];
}

function tuningChart(name, table) {
  const rows = records(table);
  const done = rows.filter((row) => row.value !== null);
  let best = -Infinity;
  const front = done.map((row) => ({ number: row.number, best: (best = Math.max(best, row.value)) }));
  return [
    chart({
      title: "Trials",
      note: "The study's figure on val; filled: complete, hollow: pruned. Line: the best so far.",
      rows,
      columns: table.columns,
      file: `${name}.trials.csv`,
      make: () => ({
        height: 300,
        x: { label: "trial" },
        y: { label: "figure on val", grid: true },
        symbol: { type: "identity" },
        marks: [
          Plot.line(front, { x: "number", y: "best", curve: "step-after", stroke: "var(--text)" }),
          Plot.dot(done, { x: "number", y: "value", symbol: (row) => (row.state === "complete" ? "circle" : "triangle"), r: 4, stroke: look(0).stroke, fill: (row) => (row.state === "complete" ? look(0).stroke : "var(--panel)"), title: (row) => `trial ${row.number}: ${axisNumber(row.value)} (${row.state})` }),
        ],
      }),
    }),
    h("details", {}, h("summary", {}, "The best trials"), plainTable([...done].sort((a, b) => b.value - a.value).slice(0, 20), table.columns, `Best trials of ${name}`)),
  ];
}
