// Types found by number of bad cases read: does the pool still bring new ones?
const SATURATION =
  "The number of error types among the first cases, by number of cases. Steps: in the order of the pool. Line: the " +
  "mean over all orders (rarefaction). Where it is flat, more problems of this kind would bring few new types. The " +
  "types come from clustering all cases at once: a clusterer that merges rare types makes the curve flat sooner.";
const FLAT = 0.5; // new types, on average, in the last tenth of the cases

function saturationSaid({ cases, types, tail, added, expected_added: expected, singletons }) {
  const last = tail === 1 ? "The last case" : `The last ${number(tail)} cases (a tenth)`;
  const flat = expected < FLAT ? "The curve has flattened" : "The curve still rises";
  const chance = singletons ? `about ${percent(singletons / cases)} %` : "near 0";
  const order = `${last} added ${plural(added, "new type")} in this order, ${expected.toFixed(1)} on average over all orders`;
  const further = `${plural(singletons, "type has", "types have")} one case, so the probability that a further case has an unseen type is ${chance} (Good-Turing)`;
  return `${flat}: ${plural(types, "type")} in ${plural(cases, "bad case")}. ${order}; ${further}.`;
}

function saturationPanel(round) {
  const s = round.saturation, { w, h, left, right, above, below } = CHART;
  const x = (m) => left + ((w - left - right) * m) / s.cases, y = (k) => above + (h - above - below) * (1 - k / s.types);
  const rung = [1, 2, 5, 10, 20, 50, 100].find((r) => s.types <= 5 * r) || 200;
  const heights = Array.from({ length: Math.floor(s.types / rung) + 1 }, (_, i) => i * rung);
  const grid = heights.map((k) => [
    svg("line", { class: "grid", x1: left, x2: w - right, y1: y(k), y2: y(k) }),
    svg("text", { class: "tick", x: left - 5, y: y(k) + 3.5, "text-anchor": "end" }, k),
  ]);
  const under = (m, anchor) => svg("text", { class: "tick", x: x(m), y: h - 6, "text-anchor": anchor }, number(m));
  const steps = s.points.map(([m, k]) => `H${x(m)}V${y(k)}`).join("");
  const line = s.points.map(([m, , mean]) => `${x(m)},${y(mean)}`).join(" ");
  const chart = svg(
    "svg",
    { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": `Round ${round.round}: ${saturationSaid(s)}` },
    grid,
    [under(0, "start"), under(s.cases, "end")],
    svg("path", { class: "steps", d: `M${x(0)},${y(0)}${steps}` }),
    svg("polyline", { class: "line", points: `${x(0)},${y(0)} ${line}` }),
  );
  const caption = [el("strong", null, `round ${round.round}`), el("span", null, "types found, by bad cases read")];
  return el("figure", { class: "panel" }, el("figcaption", null, caption), chart, el("div", { class: "readout" }, saturationSaid(s)));
}

function saturationPart(view) {
  const rounds = view.rounds.filter((r) => r.saturation);
  if (!rounds.length) return null;
  const title = el("h3", null, "Were all types found?");
  return [title, el("p", { class: "quiet" }, SATURATION), el("div", { class: "panels curves" }, rounds.map(saturationPanel))];
}
