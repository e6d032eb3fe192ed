// Long lists: filtered as you type and drawn page by page. The body of an entry is made when it is opened.
const PAGE = 20;

class Browser {
  // `what` names the items; `filters` are {label, options, of}; `entry` draws an item, `textOf` returns the text to search.
  constructor({ what, items, filters, textOf, entry, empty }) {
    Object.assign(this, { what, items, filters, textOf, entry, empty, found: items, page: 0, chosen: {} });
    this.texts = new Map();
    this.list = el("div", { class: "entries" });
    this.state = el("p", { class: "quiet", role: "status" });
    const hint = "words in any of its texts";
    this.search = el("input", { type: "search", placeholder: hint, oninput: later(() => this.apply(), 150) });
    this.back = el("button", { type: "button", onclick: () => this.turn(-1) }, "← back");
    this.next = el("button", { type: "button", onclick: () => this.turn(1) }, "next →");
    const controls = el("div", { class: "filters" }, el("label", null, "Find ", this.search), this.controls());
    this.box = el("div", null, controls, el("div", { class: "pages" }, this.state, this.back, this.next), this.list);
    this.draw();
  }

  controls() {
    return this.filters.filter((f) => f.options.length > 1).map((f) => {
      const [label, select] = choice(f.label, [["", "all"], ...f.options], (v) => this.pick(f.label, v));
      f.select = select;
      return label;
    });
  }

  pick(label, value) {
    const filter = this.filters.find((f) => f.label === label);
    if (!filter || !filter.select) return;
    filter.select.value = this.chosen[label] = value;
    this.apply();
  }

  text(item) {
    if (!this.texts.has(item)) this.texts.set(item, this.textOf(item).toLowerCase());
    return this.texts.get(item);
  }

  apply() {
    const asked = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (item) => this.filters.every((f) => !this.chosen[f.label] || f.of(item) === this.chosen[f.label]);
    this.found = this.items.filter((item) => fits(item) && asked.every((w) => this.text(item).includes(w)));
    this.page = 0;
    this.draw();
  }

  draw() {
    const from = this.page * PAGE, shown = this.found.slice(from, from + PAGE);
    this.list.replaceChildren(...shown.map(this.entry));
    this.state.textContent = this.said(from, shown.length);
    this.back.disabled = from === 0;
    this.next.disabled = from + PAGE >= this.found.length;
  }

  said(from, n) {
    const all = number(this.items.length), found = number(this.found.length);
    if (!n) return this.items.length ? `none of ${all} ${this.what} fits these filters` : this.empty;
    const part = `${number(from + 1)}–${number(from + n)} of ${found} ${this.what}`;
    return found === all ? part : `${part} (of ${all} in all)`;
  }

  turn(by) {
    this.page += by;
    this.draw();
    this.search.scrollIntoView({ block: "nearest" });
  }
}

// An entry that can be opened: `head` is its line, `body` makes the rest when it is first opened.
function fold(head, body) {
  const box = el("details", null, el("summary", null, head));
  box.addEventListener("toggle", () => box.open && box.children.length === 1 && box.append(body()), { once: true });
  return box;
}

function said(title, text, kind) {
  const body = text ? el("pre", null, text) : el("p", { class: "quiet" }, "(none)");
  return el("div", { class: kind }, el("h4", null, title), body);
}

const badge = (text, kind) => el("span", { class: `badge ${kind || ""}` }, text);

function findingText(f) {
  const step = `first wrong step: ${f.step} (${words(f.relation)})`;
  const sums = f.expected || f.written ? `; expected ${f.expected || "?"}, written ${f.written || "nothing"}` : "";
  const sign = f.written_operation === "none" ? "no operation" : f.written_operation;
  const wrong = f.operation !== "none" && f.operation !== f.written_operation;
  return step + sums + (wrong ? `; ${f.operation} was right, ${sign} written` : "");
}

function caseBody(view, c) {
  const p = view.problems[c.problem];
  const part = c.part === "exemplars" ? "an exemplar for synthesis" : "validation for refinement";
  const next = c.next && `at the start of the next round: ${c.next}`;
  const rest = [`problem ${p.id}`, c.part && `used as ${part}`, next].filter(Boolean).join(" · ");
  const given = el("b", null, c.extracted || "nothing"), right = el("b", null, p.answer);
  const finding = c.finding && el("p", { class: "quiet" }, findingText(c.finding));
  const both = el("p", null, "extracted ", given, " ✗, right is ", right);
  const answers = el("div", null, el("h4", null, "Answers"), both, finding);
  const texts = [
    said("Question", p.question, "prose"),
    answers,
    said("Attempt (wrong)", c.output, "wrong"),
    said("Reference solution", p.solution, "right"),
  ];
  return [el("div", { class: "pair" }, texts), el("p", { class: "quiet" }, rest)];
}

function caseHead(view, c) {
  const why = c.refused ? `no keyphrase: ${because(c.refused)}` : "no keyphrase";
  const type = c.type ? [markOf(view.typeIndex.get(c.type)), ` ${short(c.type, 60)}`] : "no type";
  return [
    c.phrase ? el("strong", null, c.phrase) : el("em", null, why),
    " ",
    badge(type, c.type ? "" : "plain"),
    badge(`round ${c.round}`, "plain"),
    c.next === "solved" ? badge("✓ solved next round", "good") : null,
    el("span", { class: "preview" }, short(view.problems[c.problem].question, 140)),
  ];
}

const roundFilter = (view) => ({
  label: "Round",
  options: view.rounds.map((r) => [String(r.round), r.round]),
  of: (item) => String(item.round),
});
const typeFilter = (types) => ({
  label: "Error type",
  options: types.map((t) => [t, short(t, 70)]),
  of: (item) => item.type || "(no type)",
});

const nextFilter = (view) => ({
  label: "Next round",
  options: view.rounds.length > 1 ? ["solved", "not solved"].map((x) => [x, x]) : [],
  of: (c) => (c.next === "solved" ? "solved" : c.next && "not solved"),
});

function caseBrowser(view) {
  const problem = (c) => view.problems[c.problem];
  return new Browser({
    what: "bad cases",
    items: view.cases,
    empty: "the run folder has no bad cases",
    textOf: (c) => [problem(c).question, problem(c).id, c.output, c.extracted, c.phrase, c.type].join("\n"),
    filters: [roundFilter(view), typeFilter([...view.types, "(no type)"]), nextFilter(view)],
    entry: (c) => fold(caseHead(view, c), () => el("div", null, caseBody(view, c))),
  });
}

// Mistakes that the embedded teacher makes on purpose. No part of the method sees them.
const FLAWED = {
  slip: "a slip in a calculation",
  operation: "a wrong operation",
  missing_step: "a missing step",
  constant: "a wrong constant",
  question: "a question that does not fit its solution",
  answer: "a wrong answer",
  order: "two persons in the wrong order",
  reading: "a misread clue",
};
const flawBadge = (x) => x.flaw && badge(`⚑ ${FLAWED[x.flaw] || words(x.flaw)}`, "flaw");

// The number of flawed examples, and how many refinement kept: a check of the filter.
function flawLegend(view) {
  const all = view.synthetic, flawed = (xs) => xs.filter((x) => x.flaw).length;
  if (!flawed(all)) return null;
  const share = (kept) => {
    const of = all.filter((x) => x.kept === kept);
    return `${number(flawed(of))} of ${number(of.length)}${of.length ? ` (${percent(flawed(of) / of.length)} %)` : ""}`;
  };
  const said =
    "marks a flaw that the embedded teacher put into a problem on purpose, as a language model would by mistake. " +
    "Only the embedded teacher knows it: no stage sees it, and a real teacher's problems have no such mark. ";
  const kinds = Object.entries(all.reduce((sum, x) => (x.flaw ? { ...sum, [x.flaw]: (sum[x.flaw] || 0) + 1 } : sum), {}));
  const each = kinds.map(([k, n]) => `${FLAWED[k] || words(k)} (${n})`).join(", ");
  return el("p", { class: "note" }, badge("⚑", "flaw"), said, `Flawed: ${share(true)} kept examples and ${share(false)} left-out examples (${each}).`);
}

function exampleHead(x) {
  const score = Number.isFinite(x.score) ? `score ${x.score.toPrecision(3)}, ` : "";
  return [
    x.kept ? badge("✓ kept", "good") : badge("✗ left out", "bad"),
    flawBadge(x) || null,
    " ",
    el("strong", null, short(x.question, 160)),
    el("span", { class: "preview" }, badge(short(x.type, 60), "plain"), badge(`round ${x.round}`, "plain"), score + x.reason),
  ];
}

function exampleBody(view, x) {
  const source = (id) => el("li", null, view.questionOf.get(id) || `${id} (no pool problem)`);
  const sources = x.sources.length ? [el("h4", null, "Made from"), el("ul", null, x.sources.map(source))] : null;
  const decision = `${x.kept ? "kept" : "left out"}: ${x.reason}`;
  const rest = `answer ${x.answer || "(none)"} · ${decision}${sources ? "" : " · made from no exemplar"}`;
  const texts = [said("Question", x.question, "prose"), said("Solution", x.solution)];
  return el("div", null, el("div", { class: "pair" }, texts), sources, el("p", { class: "quiet" }, rest));
}

function syntheticBrowser(view) {
  const types = [...new Set(view.synthetic.map((x) => x.type))].sort();
  const decisions = ["kept", "left out"].map((d) => [d, d]), flaws = ["flawed", "no flaw put in"].map((d) => [d, d]);
  return new Browser({
    what: "synthetic examples",
    items: view.synthetic,
    empty: "the run folder has no synthetic examples",
    textOf: (x) => [x.question, x.solution, x.type, x.reason].join("\n"),
    filters: [
      roundFilter(view),
      typeFilter(types),
      { label: "Decision", options: decisions, of: (x) => (x.kept ? "kept" : "left out") },
      { label: "Flaw", options: view.synthetic.some((x) => x.flaw) ? flaws : [], of: (x) => (x.flaw ? "flawed" : "no flaw put in") },
    ],
    entry: (x) => fold(exampleHead(x), () => exampleBody(view, x)),
  });
}
