// Reads the data and builds the page.
const LEADS = {
  cases:
    "Pool problems with a wrong but readable answer, and the instructor's keyphrase for each. Open one to compare " +
    "the answers.",
  synthetic:
    "Problems written for the error types, and the decision of refinement on each. The score is the refiner's " +
    "measure: higher is better. Compare only scores of the same round and type.",
  untrained: "No round was asked for (rounds=0), so there are no bad cases or error types to show.",
  none:
    "No round was finished, so there are no bad cases or error types to show. The results of an unfinished round are " +
    "in its folder.",
};

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
    ...(view.given ? [] : [roundsPart(view)]),
    typesPart(view),
    section("cases", "Bad cases", LEADS.cases, cases.box),
    ...(view.given
      ? []
      : [section("synthetic", "Synthetic examples", LEADS.synthetic, flawLegend(view), syntheticBrowser(view).box)]),
    droppedPart(view),
    costPart(view),
  ];
  const none = () => [section("rounds", "Rounds", view.planned === 0 ? LEADS.untrained : LEADS.none), Object.keys(view.base.seconds).length ? costPart(view) : null];
  return [
    view.given ? givenPart(view) : resultPart(view),
    ...(view.sets.length ? [scoresPart(view)] : []),
    ...(data.rounds.length ? rounds() : none()).filter(Boolean),
    configPart(view),
    wordsPart(),
  ];
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent), isRun = data.kind === "run";
  const parts = isRun ? runParts(data) : sweepParts(data), seed = isRun ? data.run.seed : "";
  const where = `${data.kind} folder ${data.folder}${seed === "" ? "" : `, seed ${seed}`}`;
  const name = isRun ? data.run.experiment || data.folder : sweepTitle(data);
  const above = el("p", { class: "quiet" }, `Self-Error-Instruct, ${where}`);
  document.getElementById("top").append(above, el("h1", null, name));
  const links = parts.map((p) => el("a", { href: `#${p.id}` }, p.querySelector("h2").textContent));
  document.getElementById("nav").append(...links);
  document.getElementById("main").replaceChildren(...parts);
  document.documentElement.dataset.kind = data.kind;
  document.documentElement.dataset.ready = "yes";
}
start();
