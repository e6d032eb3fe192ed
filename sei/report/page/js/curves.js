// Score curves of a sweep: one chart per held-out set, one line per setting, and a common legend.
const CHART = { w: 340, h: 236, left: 32, right: 18, above: 16, below: 24 };
const FEW = 3; // up to this many lines all show their intervals
const NEAR = 16; // greatest distance at which a pointer selects a line
const CURVE_HINT = "Point at a line or tap it to see its numbers here. With the keyboard: Tab to a chart, then use the arrow keys.";

// A scale with room for all means. Intervals far beyond them are cut at the edge of the chart.
function curveScale(points, stages) {
  const { w, h, left, right, above, below } = CHART;
  const shown = (p) => (p.how === "two" ? p.range : [p.mean]), ends = points.flatMap((p) => p.ci95 || []);
  const seen = points.flatMap(shown), least = Math.min(...seen), most = Math.max(...seen), room = 0.3 * Math.max(most - least, 0.06);
  const rung = [0.01, 0.02, 0.05, 0.1, 0.2].find((r) => most - least + room <= 6 * r) || 0.2;
  const low = Math.max(0, Math.floor(Math.max(least - room, Math.min(least - 0.005, ...ends)) / rung) * rung);
  const high = Math.min(1, Math.ceil(Math.min(most + room, Math.max(most + 0.005, ...ends)) / rung) * rung);
  const step = (w - left - right - 24) / Math.max(1, stages - 1);
  const x = (i) => (stages === 1 ? (left + w - right) / 2 : left + 12 + step * i);
  return { low, high, rung, stages, x, y: (v) => above + ((h - above - below) * (high - v)) / (high - low) };
}

function curveFrame({ low, high, rung, stages, x, y }) {
  const line = (v) => svg("line", { class: "grid", x1: CHART.left, x2: CHART.w - CHART.right, y1: y(v), y2: y(v) });
  const tick = (v) => svg("text", { class: "tick", x: CHART.left - 5, y: y(v) + 3.5, "text-anchor": "end" }, Math.round(100 * v));
  const rungs = Array.from({ length: Math.round((high - low) / rung) + 1 }, (_, i) => low + i * rung);
  const under = (i) => ({ class: "tick", x: x(i), y: CHART.h - 6, "text-anchor": "middle" });
  const name = (i) => (i && stages > 4 ? `r ${i}` : stageName(i));
  const named = Array.from({ length: stages }, (_, i) => i).filter((i) => i % Math.ceil(stages / 8) === 0);
  return [rungs.map((v) => [line(v), tick(v)]), named.map((i) => svg("text", under(i), name(i)))];
}

const HOW = { t: "", wilson: ", one seed" };
const bothSeeds = ({ range }) => range.map(percent).join(" and ");
const pointEnds = (p) => (p.ci95 ? `${interval(p)}${HOW[p.how]}` : p.how === "two" ? `seeds: ${bothSeeds(p)}` : "all seeds equal");
const pointSaid = (p, i) => `${stageName(i)} ${percent(p.mean)} % (${pointEnds(p)}, n = ${p.n})`;

// The round that most seeds chose on dev; the earliest of several.
const chosenBy = (s) => s.chosen.reduce((best, c) => (c[1] > best[1] ? c : best), [0, 0])[0];
const chosenSaid = (s) => s.chosen.map(([r, n]) => `${stageName(r)} (${plural(n, "seed")})`).join(", ");

// The interval of a line as a band. Two seeds are shown as points, without a band.
function curveBand(known, scale, colour) {
  const seeds = known.flatMap(([i, p]) => (p.how === "two" ? p.range.map((v) => [scale.x(i), scale.y(v)]) : []));
  const dots = seeds.map(([cx, cy]) => svg("circle", { class: "seed", cx, cy, r: 2.6, fill: "none", stroke: colour }));
  if (known.some(([, p]) => p.how === "two")) return svg("g", { class: "spread" }, dots);
  const at = (end) => known.map(([i, p]) => `${scale.x(i)},${scale.y(p.ci95 ? p.ci95[end] : p.mean)}`);
  const ends = ([i, p]) => p.ci95 && [scale.x(i), scale.y(p.ci95[1]), scale.y(p.ci95[0])];
  const bar = ([x, high, low]) => `M${x},${high}V${low}M${x - 4},${high}h8M${x - 4},${low}h8`;
  const bars = known.map(ends).filter(Boolean).map(bar).join("");
  const area = svg("polygon", { points: [...at(1), ...at(0).reverse()].join(" "), fill: colour, "fill-opacity": 0.18 });
  return svg("g", { class: "spread" }, area, svg("path", { d: bars, stroke: colour, fill: "none", "stroke-width": 1.3 }));
}

// A line that can take the focus. It is dashed where some seeds of the setting have ended.
function curveLine(setting, known, scale) {
  const { colour, shape } = styleOf(setting.index), paint = { stroke: colour, fill: "none", "stroke-width": 1.8 };
  const piece = ([i, a], k) => {
    const [j, b] = known[k + 1] || [], whole = j && Math.min(a.n, b.n) === setting.seeds;
    const d = j && `M${scale.x(i)},${scale.y(a.mean)}L${scale.x(j)},${scale.y(b.mean)}`;
    return j && svg("path", { class: "way", d, ...paint, "stroke-dasharray": whole ? null : "4 3" });
  };
  const at = ([i, p]) => ({ cx: scale.x(i), cy: scale.y(p.mean) });
  const mark = ([i, p]) => svg("path", { d: outline(shape, scale.x(i), scale.y(p.mean), 3), ...paint, fill: colour });
  const above = ([i, p]) => ({ class: "value", x: scale.x(i), y: scale.y(p.mean) - 8, "text-anchor": "middle" });
  const value = (k) => svg("text", above(k), percent(k[1].mean));
  const ring = (k) => k[0] === chosenBy(setting) && svg("circle", { class: "chosen", ...at(k), r: 7, stroke: colour });
  const said = `${setting.label}: ${known.map(([i, p]) => pointSaid(p, i)).join(", ")}; chosen ${chosenSaid(setting)}`;
  const name = { class: "curve", role: "img", tabindex: "-1", "aria-label": said };
  return svg("g", name, known.map(piece).filter(Boolean), known.map(mark), known.map(ring).filter(Boolean), known.map(value));
}

// One chart. `lines` has, by setting index, the line, its interval, and its known points as [stage, point].
class CurvePanel {
  constructor(set, settings, owner) {
    Object.assign(this, { set, settings, owner, lines: new Map() });
    const known = (s) => (s.curves[set.name] || []).map((p, i) => [i, p]).filter(([, p]) => p);
    const drawn = settings.map((s) => [s, known(s)]).filter(([, points]) => points.length);
    const stages = 1 + Math.max(...drawn.flatMap(([, points]) => points.map(([i]) => i)));
    this.scale = curveScale(drawn.flatMap(([, points]) => points.map(([, p]) => p)), stages);
    for (const [s, points] of drawn) {
      const line = curveLine(s, points, this.scale), band = curveBand(points, this.scale, styleOf(s.index).colour);
      line.addEventListener("focus", () => owner.point(s.index));
      line.addEventListener("blur", () => owner.point(-1));
      line.addEventListener("keydown", (e) => this.key(e, s.index));
      this.lines.set(s.index, { line, band, points });
    }
    const { w, h, above, below } = CHART, cut = { class: "cut", x: 0, y: above - 4, width: w, height: h - above - below + 8 };
    const bands = svg("svg", { ...cut, viewBox: `0 ${cut.y} ${w} ${cut.height}` }, [...this.lines.values()].map((l) => l.band));
    const name = `${set.name}: one line for each setting. Use the up and down arrows to go from line to line.`;
    const parts = [curveFrame(this.scale), bands, [...this.lines.values()].map((l) => l.line)];
    this.chart = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "group", "aria-label": name }, parts);
    this.chart.addEventListener("pointermove", (e) => owner.point(this.nearest(e)));
    this.chart.addEventListener("pointerleave", () => owner.point(-1));
    this.chart.addEventListener("click", (e) => owner.keep(this.nearest(e)));
    this.readout = el("div", { class: "readout" });
    this.readout.style.minHeight = `${1.55 * (stages + 2) + 0.6}em`; // keeps the content below in place
    const role = `${words(set.role)}${set.role === "dev" ? " (chose the round)" : ""}, ${problemsSaid(set)}`;
    const caption = el("figcaption", null, el("strong", null, set.name), el("span", null, role));
    this.box = el("figure", { class: "panel" }, caption, this.chart, this.readout);
  }

  draw() {
    const { owner, settings } = this, now = owner.strong();
    const shown = [...this.lines.keys()].filter((i) => !owner.hidden.has(i));
    const entry = shown.includes(now) ? now : shown[0];
    for (const [i, { line, band }] of this.lines) {
      const off = owner.hidden.has(i);
      line.toggleAttribute("hidden", off);
      line.setAttribute("tabindex", i === entry ? "0" : "-1");
      line.classList.toggle("strong", i === now);
      line.classList.toggle("faint", now >= 0 && i !== now);
      band.toggleAttribute("hidden", off || (i !== now && (now >= 0 || shown.length > FEW)));
    }
    const s = settings.find((s) => s.index === now), l = this.lines.get(now);
    const numbers = s && (l ? l.points.map(([i, p]) => el("span", null, pointSaid(p, i))) : "no score on this set");
    const told = s && [el("p", null, markOf(s.index), " ", el("b", null, short(s.label, 120))), el("p", { class: "numbers" }, numbers)];
    this.readout.replaceChildren(...(told || [el("p", null, CURVE_HINT)]));
    if (s) this.readout.append(el("p", null, `chosen on dev: ${chosenSaid(s)}`));
  }

  // The line nearest to a pointer.
  nearest(event) {
    const box = this.chart.getBoundingClientRect(), by = CHART.w / box.width, { x, y } = this.scale;
    const at = (event.clientX - box.left) * by, height = (event.clientY - box.top) * by;
    const far = ([i, { points }]) => {
      if (this.owner.hidden.has(i)) return [i, Infinity];
      const next = points.findIndex(([stage]) => x(stage) >= at), k = next < 0 ? points.length - 1 : next;
      const [b, p] = points[k], [a, q] = points[Math.max(0, k - 1)], across = Math.min(Math.max(at, x(a)), x(b));
      const value = a === b ? p.mean : q.mean + ((across - x(a)) / (x(b) - x(a))) * (p.mean - q.mean);
      return [i, Math.hypot(at - across, height - y(value))];
    };
    const [i, distance] = [...this.lines].map(far).reduce((a, b) => (b[1] < a[1] ? b : a), [-1, Infinity]);
    return distance <= NEAR ? i : -1;
  }

  key(event, i) {
    if (event.key === "Escape") this.owner.keep(-1);
    if (event.key === "Enter" || event.key === " ") this.owner.keep(i);
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!by && !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    const shown = [...this.lines.keys()].filter((k) => !this.owner.hidden.has(k));
    if (by) this.lines.get(shown[(shown.indexOf(i) + by + shown.length) % shown.length]).line.focus();
  }
}

// All charts, with the hidden lines, the line under the pointer, and the line kept by a click.
class Curves {
  constructor(data) {
    Object.assign(this, { hidden: new Set(), pointed: -1, kept: -1 });
    this.settings = data.settings.filter((s) => s.seeds);
    const drawn = (set) => this.settings.some((s) => s.curves[set.name]);
    this.panels = data.sets.filter(drawn).map((set) => new CurvePanel(set, this.settings, this));
    this.legend = el("div", { class: "legend", role: "group", "aria-label": "Settings shown" });
    const button = (text, change) => el("button", { type: "button", onclick: () => this.change(change) }, text);
    const all = () => this.hidden.clear(), none = () => this.settings.forEach((s) => this.hidden.add(s.index));
    const of = (s) => {
      const turn = () => this.hidden.delete(s.index) || this.hidden.add(s.index);
      const entry = button([markOf(s.index), ` ${short(s.label, 80)} (${plural(s.seeds, "seed")})`], turn);
      for (const name of ["focus", "pointerenter"]) entry.addEventListener(name, () => this.point(s.index));
      for (const name of ["blur", "pointerleave"]) entry.addEventListener(name, () => this.point(-1));
      entry.classList.add("type");
      return entry;
    };
    this.entries = this.settings.map(of);
    this.legend.append(...(this.settings.length > 1 ? [button("show all", all), button("hide all", none)] : []), ...this.entries);
    this.box = el("div", { class: "curving" }, this.legend, el("div", { class: "panels curves" }, this.panels.map((p) => p.box)));
    this.draw();
  }

  change(what) {
    what();
    this.draw();
  }

  point(i) {
    if (i === this.pointed) return;
    this.change(() => (this.pointed = i));
  }

  keep(i) {
    this.change(() => (this.kept = i === this.kept ? -1 : i));
  }

  // The highlighted line: the one under the pointer, otherwise the kept one.
  strong() {
    const i = this.pointed >= 0 ? this.pointed : this.kept;
    return this.hidden.has(i) ? -1 : i;
  }

  draw() {
    this.entries.forEach((entry, k) => {
      const i = this.settings[k].index;
      entry.setAttribute("aria-pressed", String(!this.hidden.has(i)));
      entry.classList.toggle("strong", i === this.strong());
    });
    for (const p of this.panels) p.draw();
  }
}
