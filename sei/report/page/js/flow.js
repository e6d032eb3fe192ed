// Error types from round to round: a table of sizes, and bands that show where the problems go.
const NOT_TYPES = ["solved", "unreadable", "no keyphrase"];
const NAMED = 9; // types with a name on each side; all others are one block

const FOLLOWED =
  "Bad cases of each error type at the start of each round, and the share of them solved one round later. A name is " +
  "a link to its bad cases. A number such as (2) separates types of the same name. Types are clustered anew in each " +
  "round: gone means that no type has this name any more, not that every problem is solved. The picture below shows " +
  "the problems. ";
const CONTINUED = "A type keeps the name of the earlier type that it continues.";
const BY_NAME = "Types are matched by name only: a type with a new name counts as appeared.";
const BANDS =
  "Each column is the whole pool before a round, by error type. The width of a band is its number of problems, which " +
  "is shown when you hover over it. Grey: solved, or no type.";
const CHANGES = ["gone", "fewer", "same", "more", "appeared", "came and went"];

function changeOf(was, now) {
  if (!was || !now) return was ? "gone" : now ? "appeared" : "came and went";
  return now === was ? "same" : now < was ? "fewer" : "more";
}

function changeText(was, now) {
  const change = changeOf(was, now), mark = { fewer: "▼", more: "▲" }[change];
  return mark ? `${mark} ${Math.abs(now - was)} ${change}` : change;
}

function exampleLine(view, name) {
  const c = view.exampleOf.get(name);
  if (!c) return null;
  const problem = view.problems[c.problem], answers = `got ${short(c.extracted, 20)}, right is ${short(problem.answer, 20)}`;
  return el("span", { class: "ci example" }, `${short(problem.question, 120)} (${answers})`);
}

function typeRow(view, name, i, flows) {
  const sizes = view.rounds.map((r) => (r.types.find(([n]) => n === name) || [name, 0])[1]);
  const was = sizes[0], now = sizes.at(-1), many = sizes.length > 1;
  const act = { class: "typed", href: "#cases", title: "show its bad cases", onclick: () => view.pickType(name) };
  const solved = (to) => to && note(`${Math.round((100 * (to.goes_to.solved || 0)) / to.size)} % solved`);
  const size = (n, at) => (n ? [n, solved(flows.get(JSON.stringify([view.rounds[at].round, name])))] : "–");
  const head = [el("a", act, markOf(i), ` ${name}`), exampleLine(view, name)];
  const cells = [head, ...sizes.map(size), ...(many ? [changeText(was, now)] : [])];
  return { order: now - was, change: changeOf(was, now), cells };
}

function typeTable(view) {
  const rounds = view.rounds.map((r) => `round ${r.round}`), many = rounds.length > 1;
  const flows = new Map(view.flow.map((f) => [JSON.stringify([f.round, f.error_type]), f]));
  const rows = view.types.map((name, i) => typeRow(view, name, i, flows));
  if (many) rows.sort((a, b) => a.order - b.order);
  const span = `${rounds[0]} → ${rounds.at(-1)}`, heads = ["error type", ...rounds, ...(many ? [span] : [])];
  const caption = many ? FOLLOWED + (view.followed ? CONTINUED : BY_NAME) : "Bad cases of each error type, with an example. A name is a link to all of them.";
  const draw = (shown) => {
    const box = table(heads, shown.map((r) => r.cells), caption, ` ${"n".repeat(rounds.length)} `);
    return el("div", { class: "types" }, folded(box, shown.length));
  };
  return many ? changeFilter(rows, span, draw) : draw(rows);
}

// A filter of rows by kind of change, with counts, so that appeared types at the end are easy to find.
function changeFilter(rows, span, draw) {
  const grew = (change) => change === "appeared" || change === "more"; // largest first
  const of = (change) => {
    const found = rows.filter((r) => r.change === change);
    return grew(change) ? found.reverse() : found;
  };
  const found = CHANGES.filter((c) => of(c).length);
  const told = found.map((c) => `${of(c).length} ${c}`).join(", ");
  const place = el("div", null, draw(rows));
  const options = [["", `all (${rows.length})`], ...found.map((c) => [c, `${c} (${of(c).length})`])];
  const [label] = choice("Show", options, (c) => place.replaceChildren(draw(c ? of(c) : rows)));
  return [el("p", null, `By name, ${span}: ${told}.`), el("div", { class: "filters" }, label), place];
}

// A long table shows only its first rows until a button is pressed.
function folded(box, rows) {
  if (rows <= 14) return box;
  box.classList.add("folded");
  const turn = () => {
    box.classList.toggle("folded");
    open.textContent = box.classList.contains("folded") ? `show all ${rows} rows` : "show fewer rows";
  };
  const open = el("button", { type: "button", class: "more", onclick: turn }, `show all ${rows} rows`);
  return [box, open];
}

function columnsOf(flow) {
  const rounds = [...new Set(flow.map((f) => f.round))].sort((a, b) => a - b);
  const sizes = rounds.map((r) => new Map(flow.filter((f) => f.round === r).map((f) => [f.error_type, f.size])));
  const end = new Map();
  for (const f of flow)
    if (f.round === rounds.at(-1)) for (const [to, n] of Object.entries(f.goes_to)) end.set(to, (end.get(to) || 0) + n);
  return [rounds, [...sizes, end]];
}

function stacked(sizes) {
  const named = [...sizes].filter(([n]) => !NOT_TYPES.includes(n)).sort((a, b) => b[1] - a[1]);
  const shown = named.slice(0, NAMED),
    rest = named.slice(NAMED).reduce((sum, [, n]) => sum + n, 0);
  const blocks = [
    ...shown,
    ...(rest ? [["other types", rest]] : []),
    ...NOT_TYPES.filter((n) => sizes.get(n)).map((n) => [n, sizes.get(n)]),
  ];
  const names = new Set(blocks.map(([n]) => n));
  return { blocks, home: (name) => (names.has(name) ? name : "other types") };
}

// Bands that show where the problems of each type go from one round to the next.
class Flow {
  constructor(view) {
    const [rounds, sizes] = columnsOf(view.flow);
    Object.assign(this, { view, rounds, height: 440, side: 296, bar: 12 });
    this.width = Math.max(1140, 2 * this.side + 320 * rounds.length);
    const all = [...sizes[0].values()].reduce((a, b) => a + b, 0);
    this.columns = sizes.map((s) => this.placed(stacked(s), all));
    const name = "Flow of pool problems between error types; the table above has the numbers";
    const box = `0 0 ${this.width} ${this.height + 44}`;
    this.chart = svg("svg", { viewBox: box, class: "sankey", role: "img", "aria-label": name });
    rounds.forEach((r, i) => this.bands(r, i));
    this.columns.forEach((c, i) => this.blocks(c, i));
  }

  x(i) {
    return this.side + ((this.width - 2 * this.side - this.bar) * i) / this.rounds.length;
  }

  colour(name) {
    return this.view.typeIndex.has(name) ? styleOf(this.view.typeIndex.get(name)).colour : null;
  }

  // The position of each block in a column; `out` and `into` advance as bands are drawn.
  placed(column, all) {
    const gap = 3, unit = (this.height - gap * (column.blocks.length - 1)) / all;
    let y = 20;
    column.at = new Map();
    for (const [name, n] of column.blocks) {
      column.at.set(name, { y, h: unit * n, out: y, into: y, unit, n });
      y += unit * n + gap;
    }
    return column;
  }

  bands(round, i) {
    const counts = new Map(), from = this.columns[i], to = this.columns[i + 1];
    for (const f of this.view.flow.filter((one) => one.round === round)) {
      for (const [name, n] of Object.entries(f.goes_to)) {
        const key = JSON.stringify([from.home(f.error_type), to.home(name)]);
        counts.set(key, (counts.get(key) || 0) + n);
      }
    }
    for (const [a] of from.blocks) {
      for (const [b] of to.blocks) {
        const n = counts.get(JSON.stringify([a, b]));
        if (n) this.band(a, b, n, i);
      }
    }
  }

  band(a, b, n, i) {
    const s = this.columns[i].at.get(a), e = this.columns[i + 1].at.get(b);
    const x1 = this.x(i) + this.bar, x2 = this.x(i + 1), mid = (x1 + x2) / 2, thick = n * s.unit, thin = n * e.unit;
    const there = `M${x1},${s.out}C${mid},${s.out} ${mid},${e.into} ${x2},${e.into}v${thin}`;
    const back = `C${mid},${e.into + thin} ${mid},${s.out + thick} ${x1},${s.out + thick}z`;
    const shade = this.colour(a), title = svg("title", null, `${plural(n, "problem")}: ${a} → ${b}`);
    this.chart.append(svg("path", { class: shade ? "flow" : "flow plain", d: there + back, fill: shade }, title));
    s.out += thick;
    e.into += thin;
  }

  blocks(column, i) {
    const x = this.x(i), left = i === 0, most = left || i === this.columns.length - 1 ? 36 : 26;
    const when = `before round ${this.rounds[0] + i}`;
    this.chart.append(svg("text", { class: "tick", x: x + this.bar / 2, y: 11, "text-anchor": "middle" }, when));
    const side = left ? { x: x - 17, "text-anchor": "end" } : { x: x + this.bar + 17, "text-anchor": "start" };
    const dot = { x: left ? x - 13 : x + this.bar + 5, width: 8, height: 8 };
    let above = 0; // position of the previous label; labels of thin blocks move down and carry their block's colour
    for (const [name, b] of column.at) {
      const shade = this.colour(name), place = { x, y: b.y, width: this.bar, height: Math.max(1, b.h) };
      const title = svg("title", null, `${name}: ${b.n}`);
      this.chart.append(svg("rect", { class: shade ? "" : "plainbar", ...place, fill: shade }, title));
      above = Math.max(b.y + b.h / 2 + 4, above + 12);
      this.chart.append(svg("rect", { class: shade ? "" : "plainbar", ...dot, y: above - 8, fill: shade }));
      this.chart.append(svg("text", { class: "name", ...side, y: above }, `${short(name, most)} (${b.n})`));
    }
  }
}

function sankey(view) {
  const chart = new Flow(view).chart;
  const box = el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Flow of error types" }, chart);
  return [el("p", { class: "quiet" }, BANDS), box];
}
