// Any two rows: the paired test, and the queries that one answers better.

import { address, BASELINE, BOARD, boardRow, DATA, DIRECTIONS, modelAddress, named, pairOf } from "./data.js";
import { h, section, select } from "./element.js";
import { fixed, interval, probability, rankText, signed } from "./numbers.js";
import { queryShown } from "./answers.js";

export function changedLists(part, direction, a, b) {
  const total = part.won + part.lost + part.same;
  const list = (rows, title, count) =>
    h(
      "div",
      { class: "changed" },
      h("h4", {}, `${title}: ${count} of ${total}`),
      rows.length
        ? h(
            "ol",
            {},
            rows.map(({ query, a: rankA, b: rankB }) => h("li", {}, queryShown(direction, query, { named: true }), h("span", { class: "ranks" }, h("span", { title: `rank by ${named(a)}` }, rankText(rankA)), h("span", { "aria-label": "against" }, " : "), h("span", { title: `rank by ${named(b)}` }, rankText(rankB))))),
          )
        : null,
      count > rows.length && rows.length ? h("p", { class: "note" }, `The ${rows.length} that changed most are shown.`) : null,
    );
  return h(
    "div",
    {},
    h("h3", {}, DIRECTIONS[direction][0].toUpperCase() + DIRECTIONS[direction].slice(1)),
    balance(part, total),
    h("p", { class: "note" }, `Ranks of the right answer: ${named(a)} : ${named(b)}.`),
    h("div", { class: "two" }, list(part.wonList, "Won", part.won), list(part.lostList, "Lost", part.lost)),
  );
}

function balance(part, total) {
  const bar = (name, count) => (count ? h("span", { class: name, style: `flex: ${count} 1 0` }, count / total > 0.15 ? `${count} ${name}` : "") : null);
  return h("div", { class: "balance", role: "img", "aria-label": `${part.won} won, ${part.same} alike, ${part.lost} lost, of ${total}` }, bar("won", part.won), bar("alike", part.same), bar("lost", part.lost));
}

export function compareView(nameA, kindA, nameB, kindB) {
  const best = BOARD[0];
  const a = boardRow(`${nameA}/${kindA}`) ?? best;
  const b = boardRow(`${nameB}/${kindB}`) ?? (BASELINE && BASELINE.key !== a.key ? BASELINE : BOARD.find((row) => row.key !== a.key));
  const options = BOARD.filter((row) => DATA.pairs.rows.includes(row.key)).map((row) => [row.key, named(row)]);
  const go = (one, other) => {
    const [first, second] = [boardRow(one), boardRow(other)];
    location.hash = address("compare", first.model, first.similarity, second.model, second.similarity);
  };
  const pair = pairOf(a.key, b.key);
  return [
    h("h1", {}, "Compare two models"),
    h("div", { class: "filters" }, select("A", options, a.key, (key) => go(key, b.key)), h("button", { type: "button", class: "quiet swap", onclick: () => go(b.key, a.key) }, h("span", { "aria-hidden": "true" }, "⇄ "), "Swap"), select("B", options, b.key, (key) => go(a.key, key))),
    pair ? outcome(a, b, pair) : h("p", {}, a.key === b.key ? "Choose two different ones." : "They were scored on other queries, so that they cannot be tested against each other."),
  ].flat();
}

function outcome(a, b, pair) {
  const beyond = pair.p < 0.05;
  const text = beyond ? `A is ${pair.difference > 0 ? "better" : "worse"} than B` : "No significant difference";
  return [
    h("p", { class: `outcome ${beyond ? (pair.difference > 0 ? "better" : "worse") : ""}` }, h("strong", {}, text), `: R-sum ${fixed(a.rsum)} against ${fixed(b.rsum)}, a difference of ${signed(pair.difference)} ${interval(pair.lo, pair.hi)}, ${probability(pair.p)}.`),
    h("p", { class: "note" }, `A is `, h("a", { href: modelAddress(a) }, named(a)), ", B is ", h("a", { href: modelAddress(b) }, named(b)), `. Paired test by ${DATA.pairs.flips.toLocaleString("en")} sign flips over items, 95% interval by as many resamples; not corrected for how many pairs one looks at. A query is won where A's mean rank over its runs is the better one; the ranks are A's and B's.`),
    ...Object.keys(DIRECTIONS).map((direction) => h("section", {}, changedLists(pair.of(direction), direction, a, b))),
  ];
}
