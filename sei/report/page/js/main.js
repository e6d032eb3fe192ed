// Read the data, lay out the page.
const LEADS = {
  cases:
    "Pool problems that the model answered wrongly in a readable way, with the keyphrase the instructor gave. " +
    "Open one to compare.",
  synthetic:
    "Problems written for the error types, and what refinement decided on each. The score is what the refiner measured: " +
    "higher is better, and only scores of one round and type compare.",
  none: "No round was done, so there are no bad cases, error types or costs to show.",
  jobs:
    "Accuracy of the best checkpoint on dev, with its 95 % interval (Wilson) and the change in percentage points. " +
    "A job's name leads to its own page.",
  means:
    "Mean change over the base in percentage points, and its range over the jobs that differ in nothing but the seed. " +
    "Paired tests of one setting against another: python -m experiments.tables FOLDER, from a checkout.",
};

function jobRow(job, names) {
  const cell = (name) => {
    const set = job.sets.find((s) => s.name === name);
    if (!set) return "–";
    const [a, b] = set.scores;
    const change = signed(b.accuracy - a.accuracy);
    const rest = [`${interval(b)}`, `${change} on base ${percent(a.accuracy)} %`, `n = ${number(b.n)}`];
    return [el("b", null, `${percent(b.accuracy)} %`), rest.map((text) => el("span", { class: "ci" }, text))];
  };
  const name = job.link ? el("a", { href: `./${encodeURI(job.link)}` }, `job ${job.number}`) : `job ${job.number}`;
  const model = job.best ? `round ${job.best} of ${job.rounds}` : job.sets.length ? "base" : "–";
  const own = el("code", null, job.own.join(" ") || "(defaults)");
  const state = job.exit_code ? `${job.state} (exit code ${job.exit_code}; see its sei.log)` : job.state;
  return [[name, " ", own], state, model, ...names.map(cell), duration(job.seconds)];
}

// Jobs that differ in nothing but the seed, side by side with other settings.
function meansTable(data) {
  const groups = new Map(), setting = (j) => j.own.filter((o) => !o.startsWith("seed=")).join(" ") || "(all jobs)";
  for (const j of data.jobs.filter((j) => j.sets.length)) groups.set(setting(j), [...(groups.get(setting(j)) || []), j]);
  const cell = (jobs, name) => {
    const pairs = jobs.flatMap((j) => j.sets.filter((s) => s.name === name).map((s) => s.scores));
    const gains = pairs.filter(([a, b]) => a && b).map(([a, b]) => b.accuracy - a.accuracy);
    if (!gains.length) return "–";
    const range = `${signed(Math.min(...gains))} to ${signed(Math.max(...gains))}`;
    return [el("b", null, signed(gains.reduce((x, y) => x + y, 0) / gains.length)), gains.length > 1 && note(range)];
  };
  const rows = [...groups].map(([k, jobs]) => [k, jobs.length, ...data.names.map((n) => cell(jobs, n))]);
  const kinds = " n" + "n".repeat(data.names.length);
  return data.jobs.length > 1 && rows.length ? table(["setting", "jobs", ...data.names], rows, LEADS.means, kinds) : null;
}

function sweepPart(data) {
  const heads = ["job", "state", "model/ is", ...data.names, "time"];
  const rows = data.jobs.map((j) => jobRow(j, data.names));
  const lead = data.shared.length ? `All with ${data.shared.join(" ")}` : null;
  const jobs = table(heads, rows, LEADS.jobs, "   " + "n".repeat(data.names.length + 1));
  return section("jobs", "Jobs", lead, meansTable(data), jobs);
}

function viewOf(data) {
  const sums = new Map(data.rounds.flatMap((r) => r.types.map(([name]) => [name, 0])));
  for (const r of data.rounds) for (const [name, n] of r.types) sums.set(name, sums.get(name) + n);
  const types = [...sums].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const others = new Set(data.cases.map((c) => c.type).filter((t) => t && !sums.has(t)));
  const starts = data.rounds.map((r) => data.cases.findIndex((c) => c.round === r.round));
  const view = { ...data, types, typeIndex: new Map([...types, ...others].map((t, i) => [t, i])) };
  view.questionOf = new Map(data.problems.map((p) => [p.id, p.question]));
  view.exampleOf = new Map([...data.cases].reverse().map((c) => [c.type, c]));
  view.caseOf = (round, at) => data.cases[starts[round] + at];
  view.describe = (c) => [el("h4", null, caseHead(view, c).slice(0, -1)), caseBody(view, c)];
  return view;
}

function runParts(data) {
  const view = viewOf(data), cases = caseBrowser(view);
  view.pickType = (name) => cases.pick("Error type", name);
  const rounds = () => [
    roundsPart(view),
    typesPart(view),
    section("cases", "Bad cases", LEADS.cases, cases.box),
    section("synthetic", "Synthetic examples", LEADS.synthetic, syntheticBrowser(view).box),
    droppedPart(view),
    costPart(view),
  ];
  return [
    resultPart(view),
    ...(view.sets.length ? [scoresPart(view)] : []),
    ...(data.rounds.length ? rounds() : [section("rounds", "Rounds", LEADS.none)]),
    configPart(view),
    wordsPart(),
  ];
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent), isRun = data.kind === "run";
  const parts = isRun ? runParts(data) : [sweepPart(data)], seed = isRun ? data.run.seed : "";
  const where = `${data.kind} folder ${data.folder}${seed === "" ? "" : `, seed ${seed}`}`;
  const name = (isRun && data.run.experiment) || data.folder;
  const above = el("p", { class: "quiet" }, `Self-Error-Instruct, ${where}`);
  document.getElementById("top").append(above, el("h1", null, name));
  const links = parts.map((p) => el("a", { href: `#${p.id}` }, p.querySelector("h2").textContent));
  if (isRun) document.getElementById("nav").append(...links);
  document.getElementById("main").replaceChildren(...parts);
  document.documentElement.dataset.ready = "yes";
}
start();
