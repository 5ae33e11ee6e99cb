// The page: what is asked stands in the address, so that it can be linked, and gone back to.

import { byId, el, number, plural } from "./dom.js";
import { inMotion, setMotion } from "./media.js";
import { clear, show, summary } from "./results.js";

const ASKED = ["text", "caption", "item", "similar"];
const state = { about: null, file: null, asking: null };

async function get(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is it still running?");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? `the server answers ${answer.status}`);
  return said;
}

const query = (given) => new URLSearchParams(given).toString();
const here = () => Object.fromEntries(new URLSearchParams(location.search));
const runName = () => byId("run").value || state.about.runs[0].name;
const run = () => state.about.runs.find((one) => one.name === runName());

// Ask for what the address says.
async function ask() {
  const given = here();
  const by = ASKED.find((name) => given[name] !== undefined);
  if (by === undefined && !state.file) return welcome();
  const common = { run: runName(), k: byId("k").value };
  if (state.file) {
    const path = `/api/file?${query({ ...common, name: state.file.name })}`;
    const headers = { "Content-Type": "application/octet-stream" };
    return answered(get(path, { method: "POST", body: state.file, headers, signal: begun() }));
  }
  return answered(get(`/api/search?${query({ ...common, [by]: given[by] })}`, { signal: begun() }));
}

function begun() {
  state.asking?.abort();
  state.asking = new AbortController();
  return state.asking.signal;
}

async function answered(promise) {
  say("Searching…", "busy");
  try {
    const found = await promise;
    say(summary(found));
    if (found.by === "text" || found.by === "caption") byId("text").value = found.query.text;
    else byId("text").value = "";
    document.title = `${found.query.text ?? found.query.id ?? "file"} · Polymatch search`;
    show(found, state.file, link);
  } catch (error) {
    if (error.name === "AbortError") return;
    clear();
    say(error.message, "error");
  }
}

function say(text, kind = "") {
  byId("status").textContent = text;
  byId("status").classList.toggle("error", kind === "error");
  document.body.classList.toggle("busy", kind === "busy");
}

// A link that asks without loading the page anew.
function link(text, asked, label) {
  return el("a", { href: `?${query(address(asked))}`, "aria-label": label, onclick: follow }, text);
}

function follow(event) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(Object.fromEntries(new URL(event.currentTarget.href).searchParams));
}

function address(asked) {
  const several = state.about.runs.length > 1 ? { run: runName() } : {};
  const k = byId("k").value === "10" ? {} : { k: byId("k").value };
  return { ...asked, ...several, ...k };
}

function go(asked) {
  state.file = null;
  byId("file").value = "";
  history.pushState(null, "", `?${query(asked)}`);
  scrollTo({ top: 0 });
  return ask();
}

async function welcome() {
  clear();
  document.title = "Polymatch search";
  say("");
  const [texts, items] = await Promise.all(["caption", "item"].map((of) => known(of, { draw: true })));
  byId("answers").replaceChildren(
    el(
      "p",
      { class: "intro" },
      "A text finds items. A picture or a clip, chosen or dropped here, finds texts.",
    ),
  );
  if (!texts.length) return;
  byId("answers").append(
    el("h2", {}, "Some test queries, whose answers are known"),
    el("div", { class: "chips" }, texts.map((one) => chip(one, "caption"))),
    el("div", { class: "chips" }, items.map((one) => chip(one, "item"))),
  );
}

async function known(of, more) {
  try {
    return (await get(`/api/known?${query({ of, run: runName(), number: 8, ...more })}`)).found;
  } catch (error) {
    say(error.message, "error");
    return [];
  }
}

function chip(one, of) {
  const still = one.media ? `/still?id=${encodeURIComponent(one.id)}` : null;
  return el(
    "button",
    { type: "button", class: still ? "chip picture" : "chip", onclick: () => go(address({ [of]: one.id })) },
    still ? el("img", { src: still, alt: `item ${one.id}` }) : of === "item" ? one.id : one.text,
  );
}

async function draw(of) {
  const [one] = await known(of, { draw: true, number: 1 });
  if (one) await go(address({ [of]: one.id }));
}

let typing;
async function showKnown() {
  const like = byId("like").value;
  const [texts, items] = await Promise.all(
    ["caption", "item"].map((of) => known(of, { like, number: of === "item" ? 12 : 24 })),
  );
  const chips = [...texts.map((one) => chip(one, "caption")), ...items.map((one) => chip(one, "item"))];
  byId("known-found").replaceChildren(...(chips.length ? chips : ["None contains this."]));
}

function takeFile(file) {
  if (!file) return;
  const most = state.about.limits.upload;
  if (file.size > most) {
    clear();
    say(`the file is larger than ${number(most / 2 ** 20)} MB; send a smaller one`, "error");
    return;
  }
  state.file = file;
  history.pushState(null, "", location.pathname);
  ask();
}

const THEMES = ["auto", "light", "dark"];

// Without a store (a browser may refuse it) the choice lasts as long as the page.
function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  byId("theme").dataset.next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    localStorage.setItem("polymatch-theme", theme);
  } catch {}
}

function lastTheme() {
  try {
    const theme = localStorage.getItem("polymatch-theme");
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

function offer() {
  const { runs, data, gallery, items, texts, limits } = state.about;
  const said = texts === null ? plural(items, "item") : `${plural(items, "item")}, ${plural(texts, "text")}`;
  byId("about").textContent = `${data} · ${gallery} · ${said}`;
  byId("run").replaceChildren(...runs.map((one) => el("option", { value: one.name }, one.name)));
  byId("run-label").hidden = runs.length < 2;
  const sizes = [...new Set([5, 10, 20, 50, limits.k].filter((size) => size <= limits.k))];
  byId("k").replaceChildren(...sizes.map((size) => el("option", { value: size }, String(size))));
  byId("text").maxLength = limits.text;
}

// Runs differ in what they can be asked with; the address may name one.
function chosen() {
  const { run: name, k } = here();
  if (state.about.runs.some((one) => one.name === name)) byId("run").value = name;
  const sizes = [...byId("k").options].map((option) => option.value);
  byId("k").value = sizes.includes(k) ? k : "10";
  byId("text").disabled = !run().text;
  byId("file-label").hidden = !run().file;
}

function changed() {
  const given = here();
  for (const key of ["run", "k"]) delete given[key];
  history.pushState(null, "", `?${query(address(given))}`);
  chosen();
  ask();
}

function listen() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    go(address({ text: byId("text").value }));
  });
  byId("file").addEventListener("change", (event) => takeFile(event.target.files[0]));
  byId("draw-text").addEventListener("click", () => draw("caption"));
  byId("draw-item").addEventListener("click", () => draw("item"));
  for (const id of ["run", "k"]) byId(id).addEventListener("change", changed);
  byId("choose").addEventListener("click", () => {
    const open = byId("known").hidden;
    byId("known").hidden = !open;
    byId("choose").setAttribute("aria-expanded", String(open));
    if (open) showKnown().then(() => byId("like").focus());
  });
  byId("like").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(showKnown, 200);
  });
  byId("theme").addEventListener("click", () => setTheme(byId("theme").dataset.next));
  byId("motion").addEventListener("click", () => motion(!inMotion()));
  addEventListener("popstate", () => {
    state.file = null;
    chosen();
    ask();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    byId("text").focus();
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", name === "dragenter" || name === "dragover");
      if (name === "drop" && run().file) takeFile(event.dataTransfer.files[0]);
    });
  }
}

function motion(on) {
  setMotion(on);
  byId("motion").setAttribute("aria-pressed", String(on));
  byId("motion").textContent = on ? "Motion: on" : "Motion: off";
}

async function start() {
  setTheme(lastTheme());
  motion(inMotion());
  try {
    state.about = await get("/api/about");
  } catch (error) {
    say(error.message, "error");
    return;
  }
  offer();
  chosen();
  listen();
  await ask();
}

start();
