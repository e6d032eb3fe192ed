// What came out of the run, and what each round did.
const ENDS = {
  rounds: "all rounds were done",
  plateau: "no better dev accuracy for as many rounds as the config allows (patience)",
  converged: "nothing was left to learn from",
  "": "it has not ended (yet): these are the rounds done so far",
};
const ACCURACY = "Accuracy on each held-out set with its 95 % interval (Wilson). Unreadable answers count as wrong.";
const CURVES =
  "Accuracy in percent; the band and whiskers are 95 % intervals, the ring marks the round that is model/. " +
  "All panels share one scale.";
const MAP =
  "Each point is a bad case; near points have similar keyphrases, larger marks are several cases with the same one.";

function verdict(base, best) {
  if (best.ci95[0] > base.ci95[1]) return "▲ intervals apart";
  return best.ci95[1] < base.ci95[0] ? "▼ intervals apart" : "intervals overlap";
}

const note = (text, kind) => el("span", { class: `ci ${kind || ""}` }, ` ${text}`);
const cell = (score) => (score ? [el("b", null, `${percent(score.accuracy)} %`), note(interval(score))] : "–");

function gain(a, b) {
  if (!a || !b) return "–";
  const sign = b.accuracy >= a.accuracy ? "+" : "−", size = percent(Math.abs(b.accuracy - a.accuracy));
  return [el("b", null, sign + size), note(verdict(a, b), "verdict")];
}

// `shown`: the round beside the base, which is the best one, or the last where none was better than the base.
function scoreRow(set, shown) {
  const a = set.scores[0], b = shown ? set.scores[shown] : null;
  const role = `${words(set.role)}${set.role === "dev" ? " (chose the round)" : ""}, n = ${number((a || b).n)}`;
  const unreadable = [a, b].filter(Boolean).map((s) => s.unreadable).join(" → ");
  const second = shown ? [cell(b), gain(a, b)] : [];
  return [[el("b", null, set.name), note(role)], cell(a), ...second, a ? dumbbell(a, b) : "–", unreadable];
}

function facts(view) {
  const fact = (name, value, rest) => el("span", null, name && note(`${name} `), el("b", null, value), rest);
  const parts = new Map(view.config.parts.map(([k, v]) => [k, v])), n = view.rounds.length;
  const best = view.best ? `round ${view.best}, the best on dev` : "the base: no round was better on dev";
  const part = (k) => el("b", null, parts.get(k));
  const lead = ["The model ", part("model"), " was taught from its own mistakes on ", part("data")];
  const kinds = ["instructor", "clusterer", "synthesizer", "refiner", "finetuner"].filter((k) => parts.get(k));
  const done = fact("", plural(n, "round"), view.planned ? ` of ${view.planned}` : "");
  const end = [note("ended because "), ENDS[view.stopped] ?? view.stopped];
  return [
    parts.get("model") && parts.get("data") ? el("p", null, lead, ` for ${plural(n, "round")}.`) : null,
    el("p", { class: "facts" }, done, fact("", `model/ is ${best}`), el("span", null, end)),
    el("p", { class: "facts" }, kinds.map((k) => fact(k, parts.get(k)))),
  ];
}

function resultPart(view) {
  const shown = view.best || view.rounds.length, which = view.best ? "best" : "last";
  const second = shown ? [`${which}: round ${shown}`, "change", `0 to 100 %: ○ base, ● ${which}`] : ["0 to 100 %"];
  const heads = ["set", "base", ...second, "unreadable answers"];
  const rows = view.sets.map((s) => scoreRow(s, shown));
  const unread = el("ul", null, view.notes.map((n) => el("li", null, n)));
  const title = el("summary", null, "Not everything could be read from the run folder");
  const notes = view.notes.length ? el("details", { class: "note", open: view.notes.length < 4 }, title, unread) : null;
  return section("result", "Result", null, facts(view), table(heads, rows, ACCURACY, shown ? " nnn" : " n"), notes);
}

function scoresPart(view) {
  const most = top10(view.sets);
  const panels = view.sets.map((s) => scorePanel(s, most, view.best));
  return section("scores", "Scores over rounds", CURVES, el("div", { class: "panels" }, panels));
}

function flips(r) {
  const parts = [
    ["fixed (wrong → right)", r.fixed, "s-fixed"],
    ["kept (right → right)", r.kept, "s-kept"],
    ["broken (right → wrong)", r.broken, "s-broken"],
  ];
  const title = `Round ${r.round}: ${stageName(r.round - 1)} → ${stageName(r.round)}`;
  return el("div", null, el("h4", null, title), shares(parts));
}

function roundsPart(view) {
  const each = (make) => view.rounds.map(make);
  const dropped = (r) => Object.values(r.dropped).reduce((a, b) => a + b, 0);
  const kappa = (r) => (r.opinion && r.opinion.kappa !== null ? r.opinion.kappa.toFixed(2) : "–");
  const rows = [
    ["pool problems", ...each((r) => (r.pool ? number(r.pool) : "–"))],
    ["bad cases (wrong, readable)", ...each((r) => number(r.bad_cases))],
    ["unreadable answers", ...each((r) => number(r.unreadable))],
    ["error types", ...each((r) => number(r.types.length))],
    ["dropped on the way", ...each((r) => number(dropped(r)))],
    ["synthetic candidates", ...each((r) => number(r.synthesized))],
    ["kept by refinement", ...each((r) => number(r.refined))],
    ["trained on (with replay)", ...each((r) => `${number(r.trained_examples)} in ${plural(r.trained_steps, "step")}`)],
    ...(view.rounds.some((r) => r.opinion) ? [["second opinion on error types: kappa", ...each(kappa)]] : []),
  ];
  const heads = ["", ...each((r) => `round ${r.round}`)], kinds = " " + "n".repeat(view.rounds.length);
  const way = table(heads, rows, "From the pool to the training set.", kinds);
  const title = el("h3", null, "Test problems fixed, kept and broken");
  return section("rounds", "What each round did", null, title, each(flips), way);
}

function typesPart(view) {
  const lead = el("p", { class: "lead" }, MAP);
  const later = view.flow.length
    ? [el("h3", null, "Where the problems of each type go"), sankey(view)]
    : el("p", { class: "quiet" }, "Types are followed from the second round on.");
  const map = [el("h3", null, "Cluster map"), lead, new ClusterMap(view).box];
  return section("types", "Error types", null, map, el("h3", null, "How the types change"), typeTable(view), later);
}
