// Tables: plain ones, and ones that are sorted by their headers.

import { h, say } from "./element.js";
import { short } from "./numbers.js";

/** A table of records; columns are names or [name, label]. */
export function plainTable(rows, columns, caption) {
  const pairs = columns.map((column) => (Array.isArray(column) ? column : [column, column]));
  const numeric = pairs.map(([name]) => rows.every((row) => row[name] === null || row[name] === undefined || typeof row[name] === "number"));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, pairs.map(([, label], i) => h("th", { scope: "col", class: numeric[i] ? "number" : "" }, label)))),
      h(
        "tbody",
        {},
        rows.map((row) => h("tr", {}, pairs.map(([name], i) => h("td", { class: numeric[i] ? "number" : "" }, cellText(row[name]))))),
      ),
    ),
  );
}

const cellText = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : value instanceof Node ? value : short(value));

/**
 * A table that is sorted by the buttons in its headers.
 *
 * columns: {name, label, hint, value(row), cell(row), ascending, numeric, head}; look: "stacked" where a
 * narrow screen has the last column below the others
 */
export function sortedTable({ caption, columns, rows, by, down = true, rowAttributes = () => ({}), look = "" }) {
  const body = h("tbody");
  const heads = new Map();
  let current = { by, down };
  let shown = rows;

  function order(a, b) {
    const column = columns.find((each) => each.name === current.by);
    const [x, y] = [column.value(a), column.value(b)];
    const missing = (v) => v === null || v === undefined;
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    const sign = typeof x === "string" ? x.localeCompare(y) : x - y;
    return current.down ? -sign : sign;
  }

  function draw() {
    for (const [name, head] of heads) {
      head.setAttribute("aria-sort", name === current.by ? (current.down ? "descending" : "ascending") : "none");
    }
    const sorted = [...shown].sort(order);
    body.replaceChildren(
      ...sorted.map((row) =>
        h(
          "tr",
          rowAttributes(row),
          columns.map((column) => h(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: column.numeric ? "number" : column.head ? "first" : "" }, column.cell(row))),
        ),
      ),
    );
  }

  const header = columns.map((column) => {
    const sort = () => {
      current = { by: column.name, down: current.by === column.name ? !current.down : !column.ascending };
      draw();
      say(`Sorted by ${column.label}, ${current.down ? "largest" : "smallest"} first`);
    };
    const head = h(
      "th",
      { scope: "col", class: column.numeric ? "number" : column.head ? "first" : "", title: column.hint },
      h("button", { type: "button", onclick: sort }, column.label, h("span", { class: "arrow", "aria-hidden": "true" })),
    );
    heads.set(column.name, head);
    return head;
  });
  draw();
  const element = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: `sorted ${look}` }, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, header)), body),
  );
  return {
    element,
    show(rowsNow) {
      shown = rowsNow;
      draw();
    },
  };
}
