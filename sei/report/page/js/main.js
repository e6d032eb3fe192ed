// Read the data, lay out the page.
const LEADS = {
  cases:
    "Pool problems that the model answered wrongly in a readable way, with the keyphrase the instructor gave. " +
    "Open one to compare.",
  synthetic:
    "Problems written for the error types, and what refinement decided on each. The score is what the refiner measured: " +
    "higher is better, and only scores of one round and type compare.",
  none:
    "No round was done, so there are no bad cases, error types or costs to show. What an unfinished round found " +
    "lies in its folder.",
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
    ...(view.given ? [] : [section("synthetic", "Synthetic examples", LEADS.synthetic, syntheticBrowser(view).box)]),
    droppedPart(view),
    costPart(view),
  ];
  return [
    view.given ? givenPart(view) : resultPart(view),
    ...(view.sets.length ? [scoresPart(view)] : []),
    ...(data.rounds.length ? rounds() : [section("rounds", "Rounds", LEADS.none)]),
    configPart(view),
    wordsPart(),
  ];
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent), isRun = data.kind === "run";
  const parts = isRun ? runParts(data) : sweepParts(data), seed = isRun ? data.run.seed : "";
  const where = `${data.kind} folder ${data.folder}${seed === "" ? "" : `, seed ${seed}`}`;
  const name = (isRun && data.run.experiment) || data.folder;
  const above = el("p", { class: "quiet" }, `Self-Error-Instruct, ${where}`);
  document.getElementById("top").append(above, el("h1", null, name));
  const links = parts.map((p) => el("a", { href: `#${p.id}` }, p.querySelector("h2").textContent));
  document.getElementById("nav").append(...links);
  document.getElementById("main").replaceChildren(...parts);
  document.documentElement.dataset.kind = data.kind;
  document.documentElement.dataset.ready = "yes";
}
start();
