// One model and similarity: everything about it on one page, beside a list of all of them.

import { address, BASELINE, BOARD, boardRow, DATA, DIRECTIONS, modelAddress, named, pairOf, records } from "./data.js";
import { byArrows, h, section } from "./element.js";
import { fixed, interval, megabytes, milliseconds, probability, short, signed } from "./numbers.js";
import { differenceText, verdict } from "./board.js";
import { changedLists } from "./compare.js";
import { errorMaps } from "./errors.js";
import { plainTable } from "./table.js";
import { analogCharts, growthChart, histogramChart, recallChart, trainingCharts } from "./runs.js";
import { spaceCharts } from "./spaces.js";
import { retrievedBy } from "./queries.js";

export function modelView(name, kind) {
  const row = boardRow(`${name}/${kind}`);
  if (!row) return null;
  const parts = [
    section("Results", figures(row), seedsTable(row)),
    section("Where the right answers land", grid(recallChart(row), histogramChart(row))),
    section(`Against ${BASELINE && BASELINE.key !== row.key ? named(BASELINE) : "the baseline"}`, againstBaseline(row)),
    section("What it retrieves", retrievedBy(row)),
    section("Training", grid(trainingCharts(row))),
    section("Speed and size", costs(row), grid(growthChart(row))),
    section("Surrogate", surrogate(row)),
    section("Deployability", deployable(row), grid(analogCharts(row))),
    section("Its space", grid(spaceCharts(row))),
    section("Parameters", parameters(row)),
    section("Where it comes from", papers(row)),
  ].filter(Boolean);
  return h(
    "div",
    { class: "beside" },
    chooser(row),
    h(
      "div",
      { class: "page" },
      h("h1", {}, row.model, h("small", {}, ` ${row.similarity}`)),
      h("p", { class: "lead" }, `Family ${row.family}, place ${row.place} of ${BOARD.length} by R-sum, ${row.seeds} ${row.seeds === 1 ? "run" : "runs"}.`),
      contents(parts),
      ...parts,
    ),
  );
}

const grid = (...charts) => {
  const there = charts.flat().filter(Boolean);
  return there.length ? h("div", { class: "charts" }, there) : null;
};

function contents(parts) {
  return h(
    "nav",
    { class: "within", "aria-label": "On this page" },
    parts.map((part) => {
      const heading = part.querySelector("h2");
      // The address says which view is shown, so that these are buttons.
      return h("button", { type: "button", onclick: () => (part.scrollIntoView({ block: "start" }), heading.setAttribute("tabindex", "-1"), heading.focus({ preventScroll: true })) }, heading.textContent);
    }),
  );
}

function chooser(row) {
  const list = h(
    "ul",
    {},
    BOARD.map((each) => h("li", {}, h("a", { href: modelAddress(each), "aria-current": each.key === row.key ? "page" : null }, h("span", {}, each.model, h("small", {}, ` ${each.similarity}`)), h("span", { class: "score" }, fixed(each.rsum))))),
  );
  const box = h(
    "select",
    { onchange: () => (location.hash = box.value) },
    BOARD.map((each) => h("option", { value: modelAddress(each), selected: each.key === row.key }, named(each))),
  );
  return h("nav", { class: "chooser", "aria-label": "Models" }, h("label", { class: "field narrow" }, h("span", {}, "Model"), box), h("p", { class: "wide note" }, "Models by R-sum"), byArrows(list));
}

function figures(row) {
  const card = (label, value, small) => h("div", { class: "card" }, h("span", { class: "label" }, label), h("span", { class: "value" }, value), small ? h("small", {}, small) : null);
  return h(
    "div",
    { class: "cards" },
    card("R-sum", fixed(row.rsum), interval(row.rsum_lo, row.rsum_hi)),
    card("t2v R@1", `${fixed(row.t2v_r1)}%`, interval(row.t2v_r1_lo, row.t2v_r1_hi)),
    card("v2t R@1", `${fixed(row.v2t_r1)}%`, interval(row.v2t_r1_lo, row.v2t_r1_hi)),
    card("vs baseline", verdict(row, "baseline"), differenceText(row)),
    card("latency", milliseconds(row.latency_ms), "a batch of all test captions"),
    card("memory", megabytes(row.memory_mb), "peak of the process"),
    card("parameters", short(row.parameters), `${megabytes(row.stored_mb)} on disk`),
  );
}

const LABELS = { t2v_r1: "t2v R@1", t2v_r5: "t2v R@5", t2v_r10: "t2v R@10", t2v_medr: "t2v MedR", v2t_r1: "v2t R@1", v2t_r5: "v2t R@5", v2t_r10: "v2t R@10", v2t_medr: "v2t MedR", rsum: "R-sum", epochs_kept: "epoch kept", train_seconds: "training (s)", logvar_mean: "log-variance", logvar_at_lower: "at lower bound", logvar_at_upper: "at upper bound", config_hash: "configuration", code_hash: "code" };

function seedsTable(row) {
  const runs = records(DATA.rows[row.key]?.runs);
  if (!runs.length) return null;
  const columns = Object.keys(runs[0]).map((name) => [name, LABELS[name] ?? name]);
  return h("details", {}, h("summary", {}, `${runs.length === 1 ? "The run" : `All ${runs.length} runs`}, with hashes`), plainTable(runs, columns, `Runs of ${row.model}`));
}

function againstBaseline(row) {
  if (!BASELINE || BASELINE.key === row.key) return BASELINE?.key === row.key && BOARD.length > 1 ? h("p", {}, "It is the baseline itself. ", h("a", { href: address("compare") }, "Compare any two."), "") : null;
  const pair = pairOf(row.key, BASELINE.key);
  if (!pair) return h("p", {}, "It was scored on other queries than the baseline, so that the two cannot be tested against each other.");
  return [
    h("p", {}, `R-sum ${signed(pair.difference)} ${interval(pair.lo, pair.hi)}, ${probability(row.p_vs_baseline)} corrected for the rows of the leaderboard. `, h("a", { href: address("compare", row.model, row.similarity, BASELINE.model, BASELINE.similarity) }, "Compare with any other.")),
    ...Object.keys(DIRECTIONS).map((direction) => changedLists(pair.of(direction), direction, row, BASELINE)),
  ];
}

function costs(row) {
  const cost = DATA.rows[row.key]?.cost ?? {};
  const there = [
    ["Encode all test captions", milliseconds(cost.encoding_ms)],
    ["Score them against the gallery", milliseconds(cost.scoring_ms)],
    ["One caption, encoded and scored", milliseconds(cost.single_query_ms)],
    ["Peak memory of the process", megabytes(cost.memory_mb)],
    ["Of that, added by the model", megabytes(cost.memory_added_mb)],
    ["Parameters", short(row.parameters)],
    ["Of these not zero", short(row.nonzero_parameters)],
    ["On disk", megabytes(row.stored_mb)],
    ["Training, mean of the runs", row.train_seconds ? milliseconds(row.train_seconds * 1000) : "–"],
  ];
  return h("dl", { class: "facts" }, there.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

const CERTIFIED = {
  outside_share: "share of test pairs outside the fitted region",
  max_error: "largest error of the probability",
  mean_error: "mean error of the probability",
  max_error_inside: "largest error inside the region",
  max_logit_error: "largest error of the logit",
  max_logit_error_inside: "largest error of the logit inside",
  kendall_tau: "Kendall's tau with the exact order",
  r1_changed: "share of queries whose R@1 it changes",
};

function surrogate(row) {
  const found = Object.entries(DATA.rows[row.key]?.surrogate ?? {});
  const maps = errorMaps(row.model);
  if (!found.length && !maps.length) return null;
  return [
    found.length ? plainTable(found.map(([name, values]) => Object.fromEntries([["what", CERTIFIED[name] ?? name], ...values.map((value, i) => [`run ${i + 1}`, value])])), ["what", ...found[0][1].map((_, i) => `run ${i + 1}`)], "The surrogate against the exact match probability, on test pairs") : null,
    grid(maps),
  ];
}

function deployable(row) {
  if (row.deployable === null || row.deployable === undefined) return null;
  return h("p", {}, row.deployable ? "Deployable in the simulation: " : "Not deployable in the simulation: ", `it keeps ${fixed(row.simulated_r1_retained * 100)}% of R@1 `, interval(row.simulated_r1_retained_lo * 100, row.simulated_r1_retained_hi * 100), " at 8 bits, of the weaker direction, by freshly programmed memory. 99% are asked for, and no random numbers. This is a simulation and not a measurement of a chip.");
}

function parameters(row) {
  const { settings } = DATA.models[row.model];
  if (!settings.length) return h("p", {}, "It has no settings.");
  const differing = settings.filter(([, , differs]) => differs);
  const list = (rows) => plainTable(rows.map(([key, value]) => ({ key, value })), [["key", "setting"], "value"], `Settings of ${row.model}`);
  return [differing.length ? [h("p", { class: "note" }, "Settings that differ within its family:"), list(differing)] : null, h("details", { open: !differing.length }, h("summary", {}, settings.length === 1 ? "The one setting" : `All ${settings.length} settings`), list(settings))];
}

function papers(row) {
  const { papers: cited, starts_from: start } = DATA.models[row.model];
  const runs = records(DATA.rows[row.key]?.runs);
  return [
    h("p", {}, `It starts from the encoders' ${start}. `, runs.length ? `Seeds ${runs.map((run) => run.seed).join(", ")}.` : ""),
    cited.length ? h("ul", {}, cited.map((text) => h("li", {}, text))) : h("p", { class: "note" }, "No paper is named for it."),
  ];
}
