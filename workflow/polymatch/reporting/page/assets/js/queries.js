// Queries, chosen and random ones, and what every model retrieves for one of them.

import { address, BOARD, captionText, DATA, DIRECTIONS, itemName, modelAddress } from "./data.js";
import { byArrows, h, section } from "./element.js";
import { rankText } from "./numbers.js";
import { answerRow, itemPicture, queryShown } from "./answers.js";
import { sortedTable } from "./table.js";

export const WHY = { chosen: "Models differ most", random: "Drawn at random" };

function best(direction, place) {
  const ranks = Object.values(DATA.asked[direction].answers).map((list) => list[place][0]);
  return `ranks ${rankText(Math.min(...ranks))} to ${rankText(Math.max(...ranks))}`;
}

export function queriesView() {
  const part = (direction, why) => {
    const list = DATA.asked[direction].queries.map(([row, reason], place) => ({ row, reason, place })).filter(({ reason }) => reason === why);
    if (!list.length) return null;
    return [
      h("h3", {}, WHY[why]),
      byArrows(
        h(
          "ul",
          { class: direction === "t2v" ? "asked" : "asked pictures" },
          list.map(({ row, place }) =>
            h("li", {}, h("a", { href: address("query", direction, row) }, direction === "t2v" ? h("span", { class: "said" }, captionText(row)) : itemPicture(row), h("small", {}, best(direction, place)))),
          ),
        ),
      ),
    ];
  };
  return [
    h("h1", {}, "Queries"),
    h("p", { class: "lead" }, "What the first run of every model retrieves. Half of these queries are those on which the models differ most, which say where models differ and not how good they are; the others are drawn at random."),
    ...Object.entries(DIRECTIONS).map(([direction, name]) => section(name[0].toUpperCase() + name.slice(1), part(direction, "chosen"), part(direction, "random"))),
  ];
}

export function queryView(direction, row) {
  const part = Object.hasOwn(DIRECTIONS, direction) ? DATA.asked?.[direction] : null;
  const place = part ? part.queries.findIndex(([query]) => query === row) : -1;
  if (place < 0) return null;
  const [, why, right] = part.queries[place];
  const rows = BOARD.filter((each) => part.answers[each.key]).map((each) => ({ ...each, answer: part.answers[each.key][place] }));
  const text = direction === "t2v";
  const step = (to, label) => (part.queries[to] ? h("a", { class: "button", href: address("query", direction, part.queries[to][0]) }, label) : null);
  return [
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#queries" }, "Queries"), ` › ${DIRECTIONS[direction]}`),
    h("h1", { class: "query-title" }, text ? `“${captionText(row)}”` : itemName(row)),
    h("p", { class: "lead" }, `${WHY[why]}. ${text ? "Right:" : "The picture that is asked with:"}`),
    h("div", { class: "answers" }, (text ? right : [row]).map((item) => itemPicture(item, text, "large"))),
    h("p", { class: "steps" }, step(place - 1, "← Previous"), step(place + 1, "Next →")),
    sortedTable({
      caption: "What every model retrieves",
      look: "stacked",
      by: "rank",
      down: false,
      rows,
      columns: [
        { name: "model", label: "model", hint: "model and similarity, first run", ascending: true, head: true, value: (each) => each.model, cell: (each) => h("a", { href: modelAddress(each) }, each.model, h("small", {}, each.similarity)) },
        { name: "rank", label: "rank", hint: "of the best right answer, from 1", numeric: true, ascending: true, value: (each) => each.answer[0], cell: (each) => rankText(each.answer[0]) },
        { name: "found", label: "retrieves", hint: "the best five, and the right one where it is not among them", ascending: true, value: (each) => each.answer[0], cell: (each) => answerRow(direction, right, each.answer) },
      ],
    }).element,
  ];
}

/** Queries that a row answers, for its own page. */
export function retrievedBy(row) {
  if (!DATA.asked) return null;
  return Object.entries(DIRECTIONS).flatMap(([direction, name]) => {
    const { queries, answers } = DATA.asked[direction];
    const own = answers[row.key];
    if (!own) return [];
    return [
      h("h3", {}, name[0].toUpperCase() + name.slice(1)),
      ...Object.keys(WHY).map((why) => {
        const here = queries.map(([query, reason, right], place) => ({ query, reason, right, place })).filter(({ reason }) => reason === why);
        if (!here.length) return null;
        return h(
          "details",
          { open: true, class: "retrieved" },
          h("summary", {}, WHY[why]),
          here.map(({ query, right, place }) => h("div", { class: `asked-row ${direction}` }, queryShown(direction, query), answerRow(direction, right, own[place]))),
        );
      }),
    ];
  });
}
