// Which view is shown, by the address; the theme; the frame around the views.

import { address, BOARD, DATA } from "./data.js";
import { h, say } from "./element.js";
import { boardView } from "./board.js";
import { compareView } from "./compare.js";
import { modelView } from "./model.js";
import { queriesView, queryView } from "./queries.js";
import { HAS_STUDIES, studiesView } from "./studies.js";
import { aboutView } from "./about.js";

const VIEWS = {
  leaderboard: ["Leaderboard", boardView, true],
  model: ["Models", (name, kind) => modelView(name ?? BOARD[0].model, kind ?? BOARD[0].similarity), true],
  queries: ["Queries", queriesView, Boolean(DATA.asked)],
  compare: ["Compare", compareView, Boolean(DATA.pairs)],
  studies: ["Sweeps and tables", studiesView, HAS_STUDIES],
  about: ["Provenance", aboutView, true],
};
const WITHIN = { query: "queries" };

const main = document.getElementById("main");
const links = Object.entries(VIEWS)
  .filter(([, [, , there]]) => there)
  .map(([name, [label]]) => h("a", { href: address(name), "data-view": name }, label));
document.getElementById("views").append(...links);

function parts() {
  try {
    return location.hash.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return ["?"]; // not an address that this page has written
  }
}

function view([name, ...rest]) {
  if (name === "query" && DATA.asked) return queryView(rest[0], Number(rest[1]));
  if (!Object.hasOwn(VIEWS, name)) return null;
  const [, make, there] = VIEWS[name];
  return there ? make(...rest) : null;
}

const places = new Map();
let shown = null;

function show() {
  const asked = parts();
  const [name] = asked[0] ? asked : ["leaderboard"];
  if (shown !== null) places.set(shown, scrollY);
  const made = view(asked[0] ? asked : ["leaderboard"]);
  main.replaceChildren(...[made ?? [h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: "#leaderboard" }, "To the leaderboard"))]].flat(Infinity).filter(Boolean));
  const current = WITHIN[name] ?? name;
  for (const link of links) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = main.querySelector("h1").textContent;
  document.title = `${title} – Polymatch: ${DATA.title}`;
  if (shown !== null) {
    main.focus({ preventScroll: true });
    say(title);
    scrollTo(0, byLink ? 0 : (places.get(location.hash) ?? 0));
  }
  byLink = false;
  shown = location.hash;
}

// A link leads to the top of a view, the back button to where one was.
let byLink = false;
addEventListener("click", (event) => {
  if (event.target.closest?.("a[href^='#']")) byLink = true;
});
addEventListener("hashchange", show);

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  main.focus();
});

// What the system says, unless the switch says otherwise; kept where the browser lets a file keep it.
const THEMES = ["auto", "light", "dark"];
const button = document.getElementById("theme");

function remembered() {
  try {
    return localStorage.getItem("polymatch-theme");
  } catch {
    return null;
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  button.textContent = `Theme: ${theme}`;
  button.dataset.next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    localStorage.setItem("polymatch-theme", theme);
  } catch {
    // a private window: the choice ends with it
  }
}

button.addEventListener("click", () => {
  setTheme(button.dataset.next);
  say(button.textContent);
});
setTheme(THEMES.includes(remembered()) ? remembered() : "auto");

document.getElementById("foot").append(h("p", {}, `Made by the workflow from results of ${DATA.data.name}. Everything is in this file; the tables beside it have all digits.`));
show();
document.documentElement.dataset.ready = "true";
