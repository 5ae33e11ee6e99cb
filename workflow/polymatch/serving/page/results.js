// What was found, as cards of items or as a list of texts.

import { byId, el, number, plural } from "./dom.js";
import { itemMedia, ownMedia } from "./media.js";

const UNCERTAINTY = "Mean variance of the answer's Gaussian: how unsure the model is of it";

export function show(found, file, link) {
  showQuery(found, file);
  showRight(found, link);
  byId("answers").replaceChildren(
    found.hits.length
      ? listed(found.hits, found.finds, link)
      : el("p", { class: "empty" }, "Nothing was found."),
  );
}

export function clear() {
  for (const id of ["query", "right"]) byId(id).hidden = true;
  byId("answers").replaceChildren();
}

// One line: how many of what, for which question, by which run.
export function summary(found) {
  const [one, other] = found.finds === "items" ? ["item", "text"] : ["text", "item"];
  const for_ = {
    text: `“${found.query.text}”`,
    caption: `the test query “${found.query.text}”`,
    item: `item ${found.query.id}`,
    similar: `items like ${found.query.id}`,
    file: "your file",
  }[found.by];
  const first = `${found.hits.length} of ${plural(found.candidates, one)} for ${for_}`;
  const unsure = found.uncertainty === null ? "" : `, query ± ${number(found.uncertainty, 3)}`;
  const unknown = found.unknown_words?.length
    ? ` · not among the run's words: ${found.unknown_words.join(", ")}`
    : "";
  return `${first} · ${found.run}${unsure} · ${Math.round(found.seconds * 1000)} ms${unknown}`;
}

function showQuery(found, file) {
  const panel = byId("query");
  panel.hidden = !["item", "similar", "file"].includes(found.by);
  if (panel.hidden) return;
  const { id } = found.query;
  const said = found.by === "file" ? file.name : `item ${id}`;
  panel.replaceChildren(
    found.by === "file" ? ownMedia(file) : itemMedia(found.query, said),
    el(
      "div",
      { class: "said" },
      el("h2", {}, found.by === "similar" ? "Items like this one" : "What is it called?"),
      found.by === "similar" && found.query.text ? el("div", {}, found.query.text) : null,
      el("div", { class: "muted" }, said),
    ),
  );
}

// Where the right answers are, which only queries of the data set have.
function showRight(found, link) {
  const panel = byId("right");
  panel.hidden = !found.known;
  if (panel.hidden) return;
  const { right, hits } = found;
  const below = right.filter((hit) => hit.rank > hits.length);
  const what = right.length === 1 ? "The right answer is at rank" : "The right answers are at ranks";
  const ranks = right.map((hit) => hit.rank).join(", ");
  panel.replaceChildren(
    el(
      "p",
      {},
      right.length
        ? `${what} ${ranks} of ${found.candidates.toLocaleString("en")}.`
        : `No right answer is among the first ${hits.length}.`,
    ),
  );
  if (below.length) panel.append(listed(below.slice(0, 6), found.finds, link));
}

function listed(hits, finds, link) {
  return finds === "items"
    ? el("ol", { class: "cards" }, hits.map((hit) => card(hit, link)))
    : el("ol", { class: "texts" }, hits.map((hit) => row(hit, link)));
}

function card(hit, link) {
  const said = hit.text ?? hit.id;
  return el(
    "li",
    { class: hit.right ? "card right" : "card", "data-id": hit.id },
    itemMedia(hit, said),
    el(
      "div",
      { class: "body" },
      el("div", { class: "line" }, el("span", { class: "rank" }, `${hit.rank}`), score(hit)),
      mark(hit),
      hit.text ? el("div", { class: "text" }, hit.text) : null,
      el("div", { class: "id" }, hit.id),
      el(
        "div",
        { class: "links" },
        link("its texts", { item: hit.id }, `its texts: ${said}`),
        link("similar items", { similar: hit.id }, `similar items: ${said}`),
      ),
    ),
  );
}

function row(hit, link) {
  return el(
    "li",
    { class: hit.right ? "right" : null, "data-id": hit.id },
    el("span", { class: "rank" }, `${hit.rank}`),
    el("span", { class: "text" }, link(hit.text, { caption: hit.id }), " ", mark(hit)),
    score(hit),
  );
}

function score(hit) {
  const unsure = hit.uncertainty === null || hit.uncertainty === undefined;
  return el(
    "span",
    { class: "score" },
    el("span", { title: "Similarity" }, number(hit.score)),
    unsure ? null : el("span", { title: UNCERTAINTY }, ` ± ${number(hit.uncertainty, 3)}`),
  );
}

const mark = (hit) => (hit.right ? el("span", { class: "mark" }, "✓ right answer") : null);
