// A chart with its legend, its data as a table and as CSV. Series differ in colour, dashes and signs.

import { h, drawn } from "./element.js";
import { plainTable } from "./table.js";

export const SIGNS = ["circle", "square", "triangle", "diamond", "cross", "star", "wye", "asterisk"];
const DASHES = ["none", "6 3", "2 3", "8 3 2 3", "1 2", "10 4", "4 2 1 2", "12 3 3 3"];

/** Looks of the i-th series. */
export function look(i) {
  return { stroke: `var(--s${i % 8})`, dash: DASHES[i % 8], symbol: SIGNS[i % 8] };
}

const GREY = { stroke: "var(--muted)", dash: "3 3", symbol: "circle" };
export const beside = () => GREY;

/** A line of a series with its signs, as marks. */
export function lineMarks(rows, x, y, style, options = {}) {
  const { signs = true, title } = options;
  return [
    Plot.line(rows, { x, y, stroke: style.stroke, strokeDasharray: style.dash, strokeWidth: 1.75 }),
    signs ? Plot.dot(rows, { x, y, stroke: style.stroke, fill: "var(--panel)", symbol: style.symbol, r: 3.2, title }) : null,
  ];
}

export function bandMarks(rows, x, low, high, style) {
  return Plot.areaY(rows, { x, y1: low, y2: high, fill: style.stroke, fillOpacity: 0.13 });
}

function legend(series) {
  return h(
    "ul",
    { class: "legend" },
    series.map(({ label, style, sign = true, line = true }) =>
      h(
        "li",
        {},
        drawn(
          "svg",
          { width: 34, height: 14, viewBox: "0 0 34 14", "aria-hidden": "true" },
          ...(line ? [drawn("line", { x1: 1, x2: 33, y1: 7, y2: 7, stroke: style.stroke, "stroke-width": 2, "stroke-dasharray": style.dash })] : []),
          ...(sign ? [signPath(style)] : []),
        ),
        label,
      ),
    ),
  );
}

function signPath(style) {
  const symbol = d3[`symbol${style.symbol[0].toUpperCase()}${style.symbol.slice(1)}`] ?? d3.symbolCircle;
  return drawn("path", {
    d: d3.symbol(symbol, style.fill ? 110 : 38)(),
    transform: "translate(17,7)",
    fill: style.fill ?? (style.filled ? style.stroke : "var(--panel)"),
    stroke: style.stroke,
    "stroke-width": 1.5,
  });
}

/**
 * A figure.
 *
 * make(width): options of Plot.plot; rows, columns: its data; file: name of the CSV
 */
export function chart({ title, note, make, series = [], rows, columns, file }) {
  const place = h("div", { class: "plot" });
  const data = h("details", {}, h("summary", {}, "Data"));
  data.addEventListener("toggle", () => {
    if (data.open && data.childElementCount === 1) data.append(plainTable(rows, columns, title));
  });
  let width = 0;
  const draw = () => {
    const now = Math.floor(place.clientWidth);
    if (!now || now === width) return;
    width = now;
    const svg = Plot.plot({ width, ariaLabel: title, marginLeft: 46, marginBottom: 44, ...make(width), style: { fontSize: "12px", overflow: "visible" } });
    svg.setAttribute("role", "img");
    place.replaceChildren(svg);
  };
  new ResizeObserver(draw).observe(place);
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, h("strong", {}, title), note ? h("span", { class: "note" }, note) : null),
    series.length > 1 ? legend(series) : null,
    place,
    h("div", { class: "under" }, data, download(rows, columns, file)),
  );
}

function download(rows, columns, file) {
  const names = columns.map((column) => (Array.isArray(column) ? column[0] : column));
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const link = h("a", { download: file, href: "#", class: "csv" }, `CSV`);
  link.setAttribute("aria-label", `Download ${file}`);
  link.addEventListener("click", () => {
    // Made when it is asked for, and let go of at once after.
    const text = [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(quoted).join(",")).join("\n");
    const url = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
    link.href = url;
    setTimeout(() => {
      URL.revokeObjectURL(url);
      link.href = "#";
    }, 1000);
  });
  return link;
}

/** Labels for a logarithmic axis of few decades: 1, 2 and 5 of each. */
export function decades(values, within = [0, Infinity]) {
  const there = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...there), Math.max(...there)];
  const ticks = [];
  const wide = Math.log10(high / low) > 2.5;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const step of wide ? [1] : [1, 2, 5]) {
      const tick = step * 10 ** power;
      if (tick >= low * 0.7 && tick <= high * 1.4 && tick >= within[0] && tick <= within[1]) ticks.push(tick);
    }
  }
  return ticks;
}

export const axisNumber = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(3))));
