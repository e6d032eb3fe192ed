// The result of the run, and the work of each round.
const ENDS = {
  rounds: "all rounds were done",
  plateau: "no better dev accuracy for `patience` rounds",
  converged: "the pool is solved, so nothing was left to learn from",
  unreadable: "all unsolved answers are unreadable",
  no_candidate: "no new problem passed the checks",
  diagnosed: "the error types are found; the outputs were given, so there is no model to train",
  "": "it has not ended yet; these are the finished rounds",
};
const ACCURACY =
  "Accuracy on each held-out set, and the change in percentage points, with 95 % intervals. The interval of the " +
  "change is paired: the same problems before and after. Unreadable answers count as wrong. †: more than half of a " +
  "set's answers are unreadable, so the number reflects the format more than the model.";
const ONE_RUN =
  "This is one run with one seed: the intervals are about these two models on problems like these, not about other " +
  "seeds. The dev set chose the round, so the gain on dev is too optimistic; the test sets chose nothing.";
const OTHER_COUNTS =
  "strict: the answer is in the requested format. macro: mean over the set's groups (skills, subjects), equally " +
  "weighted. grader faults: answers that could not be graded; they are in no other number.";
const ROUND =
  "In each round the model answers the pool. Wrong answers (bad cases) get a keyphrase, and similar keyphrases " +
  "become an error type. New problems are written for every type, refinement keeps the useful ones, and the model is " +
  "fine-tuned.";
const CURVES =
  "Accuracy in percent. The band and whiskers are 95 % intervals; the ring marks the round of model/. All panels " +
  "have the same scale.";
const MAP =
  "Each point is a bad case. Near points have similar keyphrases; a larger mark is several cases with the same " +
  "keyphrase. The axes are the first two principal components and have no meaning of their own. Different points may " +
  "overlap here.";

function verdict(base, best, change) {
  if (change) {
    const sure = change.ci95[0] > 0 ? "▲ beyond chance" : change.ci95[1] < 0 ? "▼ beyond chance" : "within chance";
    return `${sure}: ${number(change.fixed)} fixed, ${number(change.broken)} broken`;
  }
  if (best.ci95[0] > base.ci95[1]) return "▲ intervals apart";
  return best.ci95[1] < base.ci95[0] ? "▼ intervals apart" : "intervals overlap";
}

const note = (text, kind) => el("span", { class: `ci ${kind || ""}` }, ` ${text}`);
const cell = (score) => (score ? [el("b", null, `${percent(score.accuracy)} %`), note(interval(score))] : "–");

function gain(a, b, change) {
  if (!a || !b) return "–";
  const ends = change && note(change.ci95.map(signed).join(" to "));
  const difference = change ? change.mean : b.accuracy - a.accuracy; // of the items that both answered
  return [el("b", null, signed(difference)), ends, note(verdict(a, b, change), "verdict")];
}

// `shown`: the round to compare with the base: the best one, or the last if none was better than the base.
function scoreRow(set, shown) {
  const a = set.scores[0], b = shown ? set.scores[shown] : null;
  const role = `${words(set.role)}${set.role === "dev" && set.scores.length > 1 ? " (chose the round)" : ""}, n = ${counted(a || b)}`;
  const many = (s) => (s.n && s.unreadable > s.n / 2 ? " †" : "");
  const unread = (s) => `${number(s.unreadable)}${s.cut === undefined ? "" : ` (${number(s.cut)} cut)`}${many(s)}`;
  const unreadable = [a, b].filter(Boolean).map(unread).join(" → ");
  const second = shown ? [cell(b), gain(a, b, set.change)] : [];
  return [[el("b", null, set.name), note(role)], cell(a), ...second, a ? dumbbell(a, b) : "–", unreadable];
}

// Why a run ended early, and what to do.
function failed(f) {
  const where = `${f.stage} of ${f.round ? `round ${f.round}` : "the base"}`;
  const rest = "The results so far are in the run folder. Run the same command again to resume.";
  const code = f.exit_code === undefined ? "" : ` (exit code ${f.exit_code})`;
  return el("p", { class: "note failed", role: "alert" }, el("b", null, `✗ This run ended early, ${where}${code}: `), f.error, /[.!?]$/.test(f.error) ? " " : ". ", rest);
}

// The place of the last round's weights, if no round was better than the base on dev.
function lastTrained(view) {
  const last = view.cost.ledger.last_trained;
  if (view.best || view.failure || !view.stopped || !last) return null;
  const folder = el("code", null, last.weights);
  return el("p", { class: "note" }, `model/ has no trained weights. Those of the last round (${last.round}) are in the store: `, folder, ". model/README.md has the command to copy them.");
}

function facts(view) {
  const fact = (name, value, rest) => el("span", null, name && note(`${name} `), el("b", null, value), rest);
  const parts = new Map(view.config.parts.map(([k, v]) => [k, v])), n = view.rounds.length;
  const none = n ? "the base: no round was better on dev" : "the base";
  const best = view.best ? `that of round ${view.best}, the best on dev` : none;
  const named = (k) => el("b", null, parts.get(k)), { name, source, revision } = view.model;
  const from = [source && note(`source ${source}`), revision && note(`revision ${revision}`)];
  const model = name ? [el("b", null, name), from] : named("model");
  const taught = " taught from its own mistakes", untrained = !n && view.planned === 0;
  const did = untrained ? " was evaluated and not trained (rounds=0)" : [n ? " was" : " will be", taught];
  const lead = ["The model ", model, did, parts.get("data") ? [" on ", named("data")] : ""];
  const kinds = ["instructor", "clusterer", "synthesizer", "refiner", "finetuner"].filter((k) => parts.get(k));
  const done = fact("", plural(n, "round"), view.planned ? ` of ${view.planned}` : "");
  const f = view.failure, use = f ? "no model/ was written" : `the model to use (model/) is ${best}`;
  const end = f ? null : el("span", null, note("ended because "), ENDS[view.stopped] ?? view.stopped);
  return [
    name || parts.get("model") ? el("p", null, lead, n ? ` for ${plural(n, "round")}.` : ".") : null,
    f && failed(f),
    el("p", { class: "facts" }, done, fact("", use), end),
    lastTrained(view),
    el("p", { class: "facts" }, kinds.map((k) => fact(k, parts.get(k)))),
  ];
}

// The result in one sentence: mean accuracy of the test sets of each kind, before and after.
function headline(view, shown) {
  const mean = (sets, i) => percent(sets.reduce((sum, s) => sum + s.scores[i].accuracy, 0) / sets.length);
  const of = (role) => {
    const sets = view.sets.filter((s) => s.role === role && s.scores[0] && s.scores[shown]);
    if (!sets.length) return null;
    const many = sets.length > 1 ? ` (mean of ${sets.length} sets)` : "";
    return [`${words(role)}${many} from ${mean(sets, 0)} to `, el("b", null, `${mean(sets, shown)} %`)];
  };
  const parts = ["in_domain", "out_of_domain"].map(of).filter(Boolean);
  if (!shown || !parts.length) return null;
  const which = view.best ? "" : ` after round ${shown}, which was not better than the base on dev`;
  return el("p", { class: "headline" }, "Test accuracy: ", parts[0], parts[1] ? ["; ", parts[1]] : "", `${which}.`);
}

// Accuracy counted in other ways, for comparison with other work.
function otherCounts(view, shown) {
  const both = (s, of) => [s.scores[0], shown ? s.scores[shown] : null].filter(Boolean).map(of).join(" → ");
  const share = (x) => (x === null || x === undefined ? "–" : `${percent(x)} %`);
  const several = view.sets.some((s) => s.scores[0] && s.scores[0].samples);
  const passed = (x) => Object.entries(x.pass_at || {}).map(([k, v]) => `pass@${k} ${share(v)}`).slice(-1).join("");
  const drawn = (s) => [both(s, (x) => share(x.majority)), both(s, (x) => passed(x) || "–")];
  const rows = view.sets.map((s) => [
    s.name,
    both(s, (x) => share(x.accuracy)),
    ...(several ? drawn(s) : []),
    both(s, (x) => share(x.accuracy_strict)),
    both(s, (x) => share(x.macro)),
    both(s, (x) => number(x.unreadable)),
    both(s, (x) => (x.cut === undefined ? "–" : number(x.cut))),
    both(s, (x) => number(x.grader_errors)),
  ]);
  const k = several ? view.sets[0].scores[0].samples : 1;
  const more = several ? [`maj@${k}`, "pass@k"] : [];
  const heads = ["set", several ? `avg@${k}` : "accuracy", ...more, "strict", "macro", "unreadable", "cut at the cap", "grader faults"];
  return el("details", null, el("summary", null, "Counted in other ways"), table(heads, rows, OTHER_COUNTS, ` ${several ? "nn" : ""}nnnnnn`));
}

function unreadNotes(view) {
  const unread = el("ul", null, view.notes.map((n) => el("li", null, n)));
  const title = el("summary", null, "Not everything could be read from the run folder");
  return view.notes.length ? el("details", { class: "note", open: view.notes.length < 4 }, title, unread) : null;
}

// A run with given outputs: their counts, up to the error types.
function givenPart(view) {
  const given = view.given, r = view.rounds[0], file = el("b", null, given.file);
  const lead = el("p", null, `${number(given.outputs)} outputs of `, file, ` (read as ${given.layout}) were graded and diagnosed.`);
  const end = el("p", { class: "facts" }, el("span", null, note("ended because "), ENDS[view.stopped] ?? view.stopped));
  const rows = [
    ["outputs graded", number(r.pool)],
    ["right", number(r.right)],
    ["bad cases (wrong, readable)", number(r.bad_cases)],
    ["unreadable answers", number(r.unreadable)],
    ["error types", number(r.types.length)],
    ...Object.entries(given.left_out).map(([reason, n]) => [`left out: ${reason}`, number(n)]),
  ];
  return section("result", "Result", null, lead, end, table(["", "count"], rows, "Counts from the file to the error types.", " n"), unreadNotes(view));
}

function resultPart(view) {
  const shown = view.best || view.rounds.length, which = view.best ? "best" : "last";
  const second = shown ? [`${which}: round ${shown}`, "change, points", `0 to 100 %: ○ base, ● ${which}`] : ["0 to 100 %"];
  const heads = ["set", "base", ...second, "unreadable answers"];
  const rows = view.sets.map((s) => scoreRow(s, shown));
  const scores = table(heads, rows, ACCURACY, shown ? " nnnss" : " nss");
  const caution = shown ? el("p", { class: "note" }, ONE_RUN) : null;
  const lead = [headline(view, shown), facts(view)];
  return section("result", "Result", null, lead, scores, caution, otherCounts(view, shown), unreadNotes(view));
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
    ...(r.still_wrong ? [["still wrong (wrong → wrong)", r.still_wrong, "s-still"]] : []),
  ];
  const title = `Round ${r.round}: ${stageName(r.round - 1)} → ${stageName(r.round)}`;
  return el("div", null, el("h4", null, title), shares(parts));
}

function roundsPart(view) {
  const each = (make) => view.rounds.map(make);
  const lost = (r, fits) =>
    Object.entries(r.dropped).reduce((sum, [k, n]) => sum + (fits(droppedThing("", k)) ? n : 0), 0);
  const pooled = (r) => (r.pooled === null ? "–" : `${percent(r.pooled)} %`);
  const problem = (thing) => thing === "new problem", other = (thing) => !problem(thing);
  const kappa = (r) => (r.opinion && r.opinion.kappa !== null ? r.opinion.kappa.toFixed(2) : "–");
  const merged = (r) => (r.merged ? `${number(r.merged.equal_verdicts)} of ${number(r.merged.n)}` : "–");
  const rows = [
    ["pool problems", ...each((r) => (r.pool ? number(r.pool) : "–"))],
    ["bad cases (wrong, readable)", ...each((r) => number(r.bad_cases))],
    ["unreadable answers", ...each((r) => number(r.unreadable))],
    ["error types", ...each((r) => number(r.types.length))],
    ["unusable bad cases and replies", ...each((r) => number(lost(r, other)))],
    ["new problems written", ...each((r) => number(r.synthesized + lost(r, problem)))],
    ["dropped at once (copies, near a test)", ...each((r) => number(lost(r, problem)))],
    ["left as candidates", ...each((r) => number(r.synthesized))],
    ...(view.rounds.some((r) => r.pooled) ? [["types scored on pooled validation cases", ...each(pooled)]] : []),
    ["kept by refinement", ...each((r) => number(r.refined))],
    ...(view.rounds.some((r) => r.tied) ? [["of these only by order, among equal scores", ...each((r) => number(r.tied))]] : []),
    ["trained on (with replay)", ...each((r) => number(r.trained_examples))],
    ["optimizer steps", ...each((r) => number(r.trained_steps))],
    ...(view.rounds.some((r) => r.opinion) ? [["second opinion on error types: kappa", ...each(kappa)]] : []),
    ...(view.rounds.some((r) => r.merged) ? [["served adapter: verdicts as with merged weights", ...each(merged)]] : []),
  ];
  const heads = ["", ...each((r) => `round ${r.round}`)], kinds = " " + "n".repeat(view.rounds.length);
  const way = table(heads, rows, "Counts from the pool to the training set.", kinds);
  const title = el("h3", null, "Test problems fixed, kept and broken, all test sets together");
  return section("rounds", "What each round did", ROUND, title, each(flips), way);
}

function typesPart(view) {
  const lead = el("p", { class: "lead" }, MAP);
  const later = view.flow.length
    ? [el("h3", null, "Where the problems of each type go"), sankey(view)]
    : el("p", { class: "quiet" }, "Types are followed from the second round on.");
  const map = [el("h3", null, "Cluster map"), lead, new ClusterMap(view).box];
  const change = [el("h3", null, "How the types change"), typeTable(view)];
  return section("types", "Error types", null, map, change, later, saturationPart(view));
}
