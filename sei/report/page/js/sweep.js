// A sweep: its settings over their seeds, their cost, its jobs.
const SWEEP_CHANGES =
  "Mean change from the base to the round chosen on dev, in percentage points; below it the 95 % interval over seeds " +
  "(Student's t, from three seeds on) and the range. The bar shows mean and interval on the same scale in all cells, " +
  "and two seeds as small circles. The upright line is no change; an end without a tick lies beyond the scale.";
const SWEEP_CAUTION =
  "The intervals are about other seeds on the same problems. Among many settings, part of the largest change is " +
  "luck. For paired tests between settings: python -m sei.compare FOLDER.";
const SWEEP_CURVES =
  "Mean accuracy over the seeds, in percent; base is the model before round 1. The ring marks the round chosen on " +
  "dev (by most seeds). A line is dashed where only some seeds continue. The band is the 95 % interval: over three " +
  "or more seeds (Student's t), or over problems for a single seed (Wilson); two seeds are two circles. With more " +
  "than three lines, only the highlighted line has a band. Each chart has its own scale, which may not start at 0; " +
  "intervals are cut at its edge.";
const SWEEP_COST =
  "Means per finished job, base and all rounds together; below a mean the range, if jobs differ. Instructor and " +
  "stages: what the results needed, whenever it was paid for. Jobs share results, so the whole sweep took less than " +
  "the sum, and the time from start to end is short for jobs that reused results.";
const SWEEP_JOBS =
  "Accuracy of the best checkpoint on dev, with its 95 % interval (Wilson) and the change in percentage points. " +
  "A job's name is a link to its page.";
const STATE_KINDS = { done: "good", failed: "bad", killed: "bad", interrupted: "bad" };
const STATE_SIGNS = { done: "✓", running: "…", waiting: "·", failed: "✗", killed: "✗", interrupted: "✗" };

const stateBadge = (state, n) => badge(`${STATE_SIGNS[state] || ""} ${n ? `${n} ` : ""}${state}`, STATE_KINDS[state]);
const problemsSaid = ({ n: [least, most] }) => (least === most ? `n = ${number(most)}` : `n = ${number(least)} to ${number(most)}`);

// Overrides may break after a dot or an equals sign if a line is too long.
const overridesShown = (text) => el("code", null, text.split(/(?<=[.=])/).map((part) => [part, el("wbr")]));

// The name of a setting, and its overrides.
const settingShown = (s) => (s.method ? [el("b", null, s.label), el("span", { class: "ci" }, overridesShown(s.asked))] : overridesShown(s.label));

function exitSaid(job) {
  if (job.exit_code < 0) return `killed by signal ${-job.exit_code}; see its sei.log`;
  return job.exit_code ? `exit code ${job.exit_code}; see its sei.log` : "";
}

function jobRow(job, names) {
  const cell = (name) => {
    const set = job.sets.find((s) => s.name === name);
    if (!set) return "–";
    const [a, b] = set.scores;
    if (!a || !b) return "–";
    const change = signed(b.accuracy - a.accuracy);
    const rest = [`${interval(b)}`, `${change} on base ${percent(a.accuracy)} %`, `n = ${number(b.n)}`];
    return [el("b", null, `${percent(b.accuracy)} %`), rest.map((text) => el("span", { class: "ci" }, text))];
  };
  const name = job.link ? el("a", { href: `./${encodeURI(job.link)}` }, `job ${job.number}`) : `job ${job.number}`;
  const model = job.best ? `round ${job.best} of ${job.rounds}` : job.sets.length ? "base" : "–";
  const own = overridesShown(job.own.join(" ") || "(defaults)");
  const state = [stateBadge(job.state), [exitSaid(job), ...job.notes].filter(Boolean).map((text) => note(text))];
  const time = ["running", "waiting"].includes(job.state) ? "–" : duration(job.seconds);
  return [el("span", { id: `job-${job.number}` }, name, " ", own), state, model, ...names.map(cell), time];
}

// The number of jobs in each state, with links to those without a result.
function sweepFacts(data) {
  const states = Object.entries(data.jobs.reduce((sum, j) => ({ ...sum, [j.state]: (sum[j.state] || 0) + 1 }), {}));
  const seeds = data.settings.map((s) => s.seeds), [least, most] = [Math.min(...seeds), Math.max(...seeds)];
  const each = least === most ? plural(most, "seed") : `${least} to ${plural(most, "seed")}`;
  const size = `${plural(data.settings.length, "setting")} with ${each} done, ${plural(data.jobs.length, "job")}:`;
  const bad = data.jobs.filter((j) => STATE_KINDS[j.state] === "bad");
  const way = (j, i) => [i ? ", " : "", el("a", { href: `#job-${j.number}` }, `job ${j.number}`), ` (${j.state})`];
  const ways = [bad.slice(0, 12).map(way), bad.length > 12 ? ", …" : "."];
  const lost = bad.length ? el("p", { class: "note" }, "Without a result: ", ways) : null;
  return [el("p", null, size, " ", states.map(([state, n]) => stateBadge(state, n))), lost];
}

const TIE = 1e-9; // accuracies this close count as equal, because of rounding errors

// Things listed in a sentence; beyond `most`, only the first ones and the number of others.
function listed(things, most = 4) {
  const shown = things.length > most ? [...things.slice(0, most - 1), `${things.length - most + 1} others`] : things;
  return shown.map((thing, i) => [i ? (i === shown.length - 1 ? " and " : ", ") : "", thing]);
}

// The setting that dev would choose, with its change on the tests. A choice by test scores would be too optimistic.
function sweepHeadline(data) {
  const dev = data.sets.filter((s) => s.role === "dev").map((s) => s.name), tests = data.sets.filter((s) => s.role !== "dev");
  const reached = (s) => dev.reduce((sum, name) => sum + s.changes[name].reached, 0) / dev.length;
  const known = data.settings.filter((s) => dev.length && dev.every((name) => s.changes[name]));
  if (known.length < 2) return null;
  const best = known.reduce((a, b) => (reached(b) > reached(a) + TIE ? b : a));
  const tied = known.filter((s) => s !== best && Math.abs(reached(s) - reached(best)) <= TIE);
  const ties = tied.length ? [", tied with ", listed(tied.map((s) => el("b", null, s.label)))] : "";
  const change = ({ name }) => {
    const c = best.changes[name];
    return c && [`; ${name} `, el("b", null, `${signed(c.mean)} points`), c.ci95 ? ` (${c.ci95.map(signed).join(" to ")})` : ""];
  };
  const level = ` with ${percent(reached(best))} % (${plural(best.seeds, "seed")})`;
  return el("p", { class: "headline" }, "Highest on dev: ", el("b", null, best.label), level, ties, tests.map(change), ".");
}

// The ends of a common scale for all changes, wider than any of them; intervals far beyond the means are cut.
function changeScale(changes) {
  const means = [0, ...changes.map((c) => c.mean)], ends = changes.flatMap((c) => c.ci95 || []);
  const both = changes.flatMap((c) => (c.n === 2 ? c.range : [])), seen = [...means, ...both];
  const least = Math.min(...seen), most = Math.max(...seen), room = Math.max(0.005, most - least) / 2;
  return [Math.max(least - room, Math.min(least, ...ends)), Math.min(most + room, Math.max(most, ...ends))];
}

// A mean and its interval, with an upright line at no change.
function changeBar(change, [least, most]) {
  const x = (v) => 5 + (90 * (v - least)) / (most - least || 1), [low, high] = change.ci95 || [change.mean, change.mean];
  const seeds = change.n === 2 ? change.range.map((v) => svg("circle", { class: "open", cx: x(v), cy: 6, r: 2.2 })) : [];
  return svg(
    "svg",
    { viewBox: "0 0 100 12", class: "cut change", "aria-hidden": "true" },
    svg("line", { class: "grid zero", x1: x(0), x2: x(0), y1: 0, y2: 12 }),
    change.ci95 && svg("path", { class: "whisker", d: `M${x(low)},6H${x(high)}M${x(low)},3v6M${x(high)},3v6` }),
    seeds,
    svg("circle", { class: "dot", cx: x(change.mean), cy: 6, r: 3 }),
  );
}

function changeCell(setting, name, scale) {
  const c = setting.changes[name];
  if (!c) return "–";
  const equal = c.range[1] - c.range[0] <= TIE, two = `seeds: ${c.range.map(signed).join(" and ")}`;
  const lone = c.n === 1 ? "one seed: no interval" : equal ? "all seeds equal" : two;
  const range = c.n > 2 && `range ${c.range.map(signed).join(" to ")}`;
  const count = c.n !== setting.seeds && `n = ${c.n}`;
  const under = [c.ci95 ? c.ci95.map(signed).join(" to ") : lone, range, count].filter(Boolean);
  return [changeBar(c, scale), el("b", null, signed(c.mean)), under.map((text) => note(text))];
}

function settingsPart(data) {
  const scale = changeScale(data.settings.flatMap((s) => Object.values(s.changes)));
  const undone = (s) => Object.entries(s.states).filter(([state]) => state !== "done");
  const states = (s) => el("span", { class: "states" }, undone(s).map(([state, n]) => stateBadge(state, n)));
  const row = (s) => [[settingShown(s), states(s)], s.seeds, ...data.sets.map((set) => changeCell(s, set.name, scale))];
  const head = (set) => [set.name, note(words(set.role))];
  const heads = ["setting", "seeds", ...data.sets.map(head)], kinds = " n" + "n".repeat(data.sets.length);
  const changes = table(heads, data.settings.map(row), SWEEP_CHANGES, kinds);
  const each = data.varied.map(({ setting, values }) => `${words(setting)} (${values} values)`);
  const said = [each.length ? ["Varied: ", listed(each, 9), ". "] : "", data.shared.length ? ["All with ", overridesShown(data.shared.join(" "))] : ""];
  const lead = each.length || data.shared.length ? said : null;
  const caution = data.sets.length ? el("p", { class: "note" }, SWEEP_CAUTION) : null;
  return section("settings", "Settings", lead, sweepFacts(data), sweepHeadline(data), changes, caution);
}

// The numbers of the charts as a table.
function curvesTable(data) {
  const stages = Math.max(...data.settings.flatMap((s) => Object.values(s.curves).map((c) => c.length)));
  const each = (make) => Array.from({ length: stages }, (_, i) => make(i));
  const point = (p) => (p ? [el("b", null, percent(p.mean)), note(pointEnds(p)), note(`n = ${p.n}`)] : "–");
  const row = (set) => (s) => [[set.name, ": ", s.label], ...each((i) => point(s.curves[set.name][i])), chosenSaid(s)];
  const rows = data.sets.flatMap((set) => data.settings.filter((s) => s.curves[set.name]).map(row(set)));
  const heads = ["set and setting", ...each(stageName), "chosen on dev"];
  const made = () => table(heads, rows, "Mean accuracy in percent, 95 % interval, seeds.", " " + "n".repeat(stages) + "s");
  return fold("The numbers of these charts", made);
}

function curvesPart(data) {
  return section("scores", "Scores over rounds", SWEEP_CURVES, new Curves(data).box, el("div", null, curvesTable(data)));
}

function sweepCostPart(data) {
  const dollars = (x) => `$${x.toFixed(2)}`, whole = (x) => number(Math.round(x));
  const columns = [
    ["time, start to end", "seconds", duration],
    ["time of all stages", "making", duration],
    ["supervised tokens", "tokens", whole],
    ["candidates made", "candidates", whole],
    ["instructor requests", "requests", whole],
    ["tokens in", "input_tokens", whole],
    ["tokens out", "output_tokens", whole],
    ["dollars", "usd", dollars],
  ];
  const cell = (c, text) => {
    if (!c) return "–";
    const [low, high] = c.range.map(text);
    return [text(c.mean), low === high ? null : note(`${low} to ${high}`)];
  };
  const shown = data.settings.filter((s) => s.seeds);
  const rows = shown.map((s) => [settingShown(s), s.seeds, ...columns.map(([, key, text]) => cell(s.cost[key], text))]);
  const made = table(["setting", "seeds", ...columns.map(([name]) => name)], rows, SWEEP_COST, " n" + "n".repeat(columns.length));
  const free = ({ cost: c }) => c.requests?.mean && !c.input_tokens?.mean && !c.output_tokens?.mean;
  return section("cost", "Cost", null, made, shown.every(free) ? el("p", null, FREE) : null);
}

function jobsPart(data) {
  const names = data.sets.map((s) => s.name), heads = ["job", "state", "model/ is", ...names, "time"];
  const rows = data.jobs.map((j) => jobRow(j, names));
  return section("jobs", "Jobs", null, table(heads, rows, SWEEP_JOBS, "   " + "n".repeat(names.length + 1)));
}

// The title of a sweep: its methods, or the varied settings if no job has begun.
function sweepTitle(data) {
  const names = data.methods.map((m) => short(m, 90));
  if (names.length > 1) return [names[0], " against ", listed(names.slice(1))];
  const others = data.varied.map((v) => words(v.setting));
  const over = others.length ? [names.length ? " over " : "Sweep over ", listed(others)] : "";
  return names.length || others.length ? [names, over] : data.folder;
}

function sweepParts(data) {
  const asked = (s) => s.own.join(" ") || (data.settings.length > 1 ? "(defaults)" : "(all jobs)");
  const twice = (s) => data.settings.filter((t) => t.method === s.method).length > 1; // settings that are not part of a method
  const label = (s) => (s.method ? `${s.method}${twice(s) ? ` (${asked(s)})` : ""}` : asked(s));
  const view = { ...data, settings: data.settings.map((s, index) => ({ ...s, index, label: label(s), asked: asked(s) })) };
  const drawn = view.settings.some((s) => s.seeds) ? [curvesPart(view), sweepCostPart(view)] : [];
  return [settingsPart(view), ...drawn, jobsPart(view), wordsPart()];
}
