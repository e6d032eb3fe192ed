// The parts on dropped items, cost and config.
const DROPPED =
  "By reason, most frequent first. The label says what was dropped and in which stage. Open an entry for examples. " +
  "Candidates that refinement left out are not listed here but above.";
// Stages are named after the chosen parts; these are the usual ones in words.
const STAGES = {
  goldcheck: "check of reference answers",
  attempts: "answers of the model",
  given_attempts: "given outputs",
  grade: "grading",
  diagnose: "keyphrases",
  cluster: "error types",
  nosecondopinion: "second opinion: none",
  selfinstruct: "new problems",
  refine: "refinement",
  oneshotstep: "refinement", // in runs made before November 2026
  curriculum: "choice of training examples",
  finetune: "fine-tuning",
};
const stageWords = (s) => (STAGES[s] ? [STAGES[s], el("span", { class: "ci" }, ` ${s}`)] : s);
const COST =
  "What the instructor's answers for these rounds needed, whenever they were paid for, and how long it took to make " +
  "each stage's results.";

const TIMES =
  "Time by stage: how long it took to make the results, whenever that was. Base: the check of reference answers, the " +
  "warm-up if the data set has one, and the evaluation before round 1. The last column is about the last start of " +
  "the command only.";
const SPEED =
  "Speed of fine-tuning when it was done, without loading and saving: tokens of prompts and solutions, without " +
  "padding. Memory: tensors on a GPU, the whole process on a CPU.";
const FREE = "No tokens were counted: this instructor is a local program, or its server does not count them.";

function tally(share) {
  const box = { class: "tally", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" };
  return svg("svg", box, svg("rect", { class: "s-kept", width: Math.max(0.5, 100 * share), height: 10 }));
}

function reasonsOf(dropped) {
  const groups = new Map();
  for (const d of dropped) {
    const key = `${d.stage}: ${d.reason}`;
    const g = groups.get(key) || { key, thing: droppedThing(d.stage, d.reason), reason: d.reason, count: 0, examples: [], rounds: [] };
    g.count += d.count;
    g.rounds.push(`round ${d.round}: ${number(d.count)}`);
    g.examples.push(...d.examples.map(([subject, detail]) => ({ round: d.round, subject, detail })));
    groups.set(key, g);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

function examplesOf(group) {
  const shown = group.examples.slice(0, 80);
  const count = shown.length < group.count ? `${shown.length} of ${number(group.count)}` : "all of them";
  const of = (e) => el("span", { class: "quiet" }, `round ${e.round}, ${e.subject || "no id"}: `);
  const line = (e) => el("li", null, of(e), e.detail || "(no text)");
  return el("div", null, el("p", { class: "quiet" }, count), el("ul", { class: "examples" }, shown.map(line)));
}

function droppedPart(view) {
  const groups = reasonsOf(view.dropped);
  const head = (g) => [
    el("span", { class: "count" }, number(g.count)),
    tally(g.count / groups[0].count),
    el("strong", null, because(g.reason)),
    el("span", { class: "preview" }, badge(`${g.thing}, ${g.key}`, "plain"), g.rounds.join(", ")),
  ];
  const rows = groups.map((g) => fold(head(g), () => examplesOf(g)));
  const lead = rows.length ? DROPPED : "Nothing was dropped.";
  return section("dropped", "What was dropped, and why", lead, el("div", { class: "entries" }, rows));
}

function timeTable(view, stages, total) {
  const done = view.cost.ledger.stages || {}, most = total(stages[0]) || 1;
  const made = (s) => (done[s] ? `${number(done[s].made)} / ${number(done[s].reused)}` : "–");
  const steps = [view.base, ...view.rounds], at = (s) => (x) => (s in x.seconds ? duration(x.seconds[s]) : "–");
  const times = (s) => steps.map(at(s));
  const on = (s) => [...new Set(steps.flatMap((r) => (r.devices[s] || "").split(" + ")))].filter(Boolean).join(", ") || "–";
  const rows = stages.map((s) => [stageWords(s), ...times(s), duration(total(s)), tally(total(s) / most), on(s), made(s)]);
  const sum = (x) => Object.values(x.seconds).reduce((a, b) => a + b, 0), all = steps.map(sum);
  const last = ["all stages", ...all.map(duration), duration(all.reduce((a, b) => a + b, 0)), "", "", ""];
  const heads = ["stage", ...steps.map((_, i) => stageName(i)), "sum", "", "device", "results made / taken from the store"];
  return table(heads, [...rows, last], TIMES, " " + "n".repeat(steps.length + 1) + "  n");
}

// How fast the fine-tunes were; rounds of a run folder of an earlier version have no such numbers.
function speedTable(view) {
  const each = view.rounds.map((r) => r.training), some = (make) => (t) => (t ? make(t) : "–");
  if (!each.some(Boolean)) return null;
  const row = (name, make) => [name, ...each.map(some(make))];
  const rows = [
    row("tokens per second, median", (t) => number(Math.round(t.rate))),
    row("padding, median", (t) => `${percent(t.padding)} %`),
    row("peak memory", (t) => `${t.peak_gib.toFixed(1)} GiB`),
    ...(each.some((t) => t && t.mfu !== null) ? [row("use of the GPU (MFU), median", (t) => (t.mfu === null ? "–" : `${percent(t.mfu)} %`))] : []),
  ];
  return table(["fine-tuning", ...view.rounds.map((r) => `round ${r.round}`)], rows, SPEED, " " + "n".repeat(each.length));
}

// The instructor's requests over all rounds, by stage.
function asked(view) {
  const sums = new Map();
  for (const r of view.rounds) for (const [k, n] of Object.entries(r.requests)) sums.set(k, (sums.get(k) || 0) + n);
  const each = [...sums].map(([k, n]) => `${number(n)} for ${k}`).join(", ");
  return each ? el("p", null, `Requests by stage: ${each}.`) : null;
}

function costPart(view) {
  const { needed, ledger } = view.cost, spent = Object.entries(ledger.spent || {});
  const steps = [view.base, ...view.rounds], total = (s) => steps.reduce((sum, r) => sum + (r.seconds[s] || 0), 0);
  const stages = [...new Set(steps.flatMap((r) => Object.keys(r.seconds)))].sort((a, b) => total(b) - total(a));
  const count = (x) => (x === undefined ? "–" : number(x));
  const tiles = [
    [count(needed.requests), "instructor requests"],
    [count(needed.input_tokens), "tokens in"],
    [count(needed.output_tokens), "tokens out"],
    [needed.usd === undefined ? "–" : `$${needed.usd.toFixed(2)}`, "dollars"],
    [duration(stages.reduce((sum, s) => sum + total(s), 0)), "base and all rounds"],
  ];
  const under = (name) => el("span", { class: "quiet" }, name);
  const tile = ([value, name]) => el("div", { class: "tile" }, el("b", null, value), under(name));
  const paid = spent.map(([k, v]) => `${words(k)} ${typeof v === "number" ? number(v) : v}`).join(", ");
  const last = paid ? el("p", null, `Spent by the last start of the command: ${paid}`) : null;
  const free = needed.requests && !needed.input_tokens && !needed.output_tokens;
  const none = free ? el("p", null, FREE) : null;
  const times = stages.length ? timeTable(view, stages, total) : null;
  return section("cost", "Cost", COST, el("div", { class: "tiles" }, tiles.map(tile)), asked(view), none, last, times, speedTable(view));
}

const COMPOSED = "Every setting that differs from a run without overrides, apart from the parts below.";
const SHIPPED =
  "Apart from the parts below. The folder does not have the composed default config, so this lists only settings of " +
  "the command and its experiment, with the value in config.yaml.";

function configPart(view) {
  const { overrides, parts, lines, settings } = view.config, run = view.run;
  const text = (v) => String(v ?? "none");
  const other = (v) => el("mark", null, `◆ ${text(v)}`);
  const real = (k, v) => (k === "model" && view.model.name && view.model.name !== v ? `${text(v)}: ${view.model.name}` : text(v));
  const part = ([k, v, usual, differs]) => (differs ? [k, other(real(k, v)), text(usual)] : [k, real(k, v), ""]);
  const setting = ([k, v, usual]) => [k, other(v), usual || "(its part is not in the default)"];
  const ids = [["seed", run.seed], ["config digest", run.config_digest], ["commit", run.git_commit]];
  const made = [...ids, ...Object.entries(run.versions || {})];
  const known = made.filter(([, v]) => v !== "" && v !== undefined).map(([k, v]) => [k, String(v)]);
  const list = el("ul", { class: "overrides" }, overrides.map((o) => el("li", null, el("code", null, o))));
  const nothing = lines.length ? "Nothing: the default config." : "Unknown: the run folder has no .hydra/.";
  const none = el("p", null, nothing);
  const changed = folded(table(["setting", "value", "default"], settings.map(setting), view.config.true ? COMPOSED : SHIPPED), settings.length);
  const line = ([text, mark]) => [mark ? el("mark", null, `◆ ${text}`) : `  ${text}`, "\n"];
  const config = el("pre", { class: "config" }, lines.map(line));
  const whole = el("details", null, el("summary", null, "The whole config"), config);
  const versions = table(["what", "value"], known, "Versions and settings behind the numbers.");
  const chosen = table(["part", "chosen", "default"], parts.map(part), "The parts of the run.");
  return section(
    "config",
    "Config",
    "◆ marks differences from the default config.",
    el("h3", null, "Overrides of the command line"),
    overrides.length ? list : none,
    settings.length ? [el("h3", null, "Settings that differ from the default"), changed] : null,
    parts.length ? [el("h3", null, "Parts"), chosen] : null,
    view.prompt ? [el("h3", null, "The first prompt of the model"), el("pre", { class: "config" }, view.prompt)] : null,
    lines.length ? whole : null,
    known.length ? el("details", null, el("summary", null, "Seed, digest, commit and versions"), versions) : null,
  );
}
