// Pictures and texts that a query got, the right ones marked by a frame and a tick.

import { captionText, itemId, itemName, DATA, address } from "./data.js";
import { h } from "./element.js";
import { rankText } from "./numbers.js";

const TICK = "✓";

/** An item: its picture, or its id where it has none (or there is no room for it). */
export function itemPicture(row, right = false, extra = "") {
  const source = DATA.pictures[row];
  const name = itemName(row);
  const inside = source ? h("img", { src: source, alt: "", loading: "lazy", decoding: "async" }) : h("span", { class: "id" }, itemId(row));
  return h("span", { class: `thumb${right ? " right" : ""} ${extra}`, title: name, role: "img", "aria-label": `${right ? "right: " : ""}${name}` }, inside, right ? h("span", { class: "tick", "aria-hidden": "true" }, TICK) : null);
}

/** What one query of `asked` got from one row: the best five, and the right one where it is not among them. */
export function answerRow(direction, rightOnes, [rank, best, right]) {
  const isRight = new Set(rightOnes);
  const missed = !best.some((row) => isRight.has(row));
  if (direction === "t2v") {
    return h(
      "div",
      { class: "answers" },
      best.map((row) => itemPicture(row, isRight.has(row))),
      missed ? [h("span", { class: "gap" }, "…"), itemPicture(right, true, "late")] : null,
      h("span", { class: "rank" }, `rank ${rankText(rank)}`),
    );
  }
  const line = (row, place, late) => h("li", { class: isRight.has(row) ? "right" : "", value: place }, isRight.has(row) ? h("span", { class: "tick" }, `${TICK} `) : null, captionText(row), late ? h("span", { class: "rank" }, ` rank ${rankText(rank)}`) : null);
  return h("ol", { class: "texts" }, best.map((row, i) => line(row, i + 1)), missed ? line(right, Math.round(rank), true) : null);
}

/** The query itself: a text, or a picture. */
export function queryShown(direction, row, { linked = true, named = false } = {}) {
  const shown = direction === "t2v" ? h("span", { class: "said" }, captionText(row)) : named ? h("span", { class: "with-name" }, itemPicture(row), h("span", {}, itemName(row))) : itemPicture(row);
  if (!linked || !DATA.asked?.[direction].queries.some(([query]) => query === row)) return shown;
  return h("a", { class: "query", href: address("query", direction, row), "aria-label": direction === "v2t" ? itemName(row) : null }, shown);
}
