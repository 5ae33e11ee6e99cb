// Where everything comes from.

import { DATA, address } from "./data.js";
import { h, section } from "./element.js";

const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
const work = (title, { licence, citation, revision, url }) => h("div", { class: "work" }, h("h3", {}, title), facts([["Licence", licence], ["Cite", citation], ["Versions", revision], ["Page", url]]));

export function aboutView() {
  const { provenance: from, data } = DATA;
  const cited = new Map();
  for (const [model, papers] of Object.entries(from.papers)) {
    for (const paper of papers) cited.set(paper, [...(cited.get(paper) ?? []), model]);
  }
  return [
    h("h1", {}, "Where this comes from"),
    section("Data", work(from.data.title, from.data), facts([["Splits", Object.entries(data.splits).map(([name, count]) => `${name} ${count.toLocaleString("en")}`).join(", ")], ["Protocol", data.protocol]])),
    section("Encoders", from.encoders.map((each) => work(each.name, each)), stores(from.stores)),
    section("Models", h("ul", { class: "papers" }, [...cited].map(([paper, models]) => h("li", {}, paper, h("small", {}, ` – ${models.join(", ")}`))))),
    DATA.rulegraph ? section("How the rules depend on each other", h("div", { class: "scroll graph", tabindex: "0", role: "region", "aria-label": "Graph of the rules" }, h("img", { src: DATA.rulegraph, alt: "Graph of the workflow's rules, from the raw files to this page" }))) : null,
    section("Runs", facts([["Seeds", from.seeds.join(", ")], ["Configuration", from.config_hash]]), h("p", {}, "Hashes of configuration and code of every run are on the page of its model."), h("p", {}, h("a", { href: address("leaderboard") }, "Back to the leaderboard"))),
    section("Versions", facts(Object.entries(from.versions))),
    section("The machine that made this page", facts(Object.entries(from.machine))),
    section("This page", h("p", {}, "Charts are drawn by Observable Plot 0.6.17 and D3 7.9.2 (ISC licence), which are part of this file. It loads nothing from anywhere.")),
  ];
}

function stores(found) {
  const names = Object.keys(found);
  if (!names.length) return null;
  return h("details", {}, h("summary", {}, "What the stored features say of themselves"), names.map((name) => h("div", {}, h("h4", {}, name), facts(Object.entries(found[name])))));
}
