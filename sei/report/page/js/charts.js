// The number of problems, and of answers per problem if there are several.
const counted = (s) => (s.samples ? `${number(s.n / s.samples)} × ${s.samples} answers` : number(s.n));

// Scores: one panel per set with intervals, and bars of shares.
const top10 = (sets) => {
  const highest = Math.max(...sets.flatMap((s) => s.scores.filter(Boolean).map((x) => x.ci95[1])));
  return Math.min(1, Math.ceil(highest * 10 + 0.001) / 10);
};

// Width, height and margins of a panel.
const PANEL = { w: 300, h: 190, left: 34, right: 14, above: 22, below: 24 };

function panelScale(n, most) {
  const { w, h, left, right, above, below } = PANEL, step = (w - left - right - 32) / Math.max(1, n - 1);
  const x = (i) => (n === 1 ? (left + w - right) / 2 : left + 16 + step * i);
  return { n, most, x, y: (v) => above + (h - above - below) * (1 - v / most) };
}

function rungs(scale) {
  const { most, y } = scale, rung = most > 0.5 ? 0.2 : most > 0.2 ? 0.1 : 0.05, out = [];
  for (let v = 0; v < most + 0.001; v += rung) {
    out.push(svg("line", { class: "grid", x1: PANEL.left, x2: PANEL.w - PANEL.right, y1: y(v), y2: y(v) }));
    const place = { x: PANEL.left - 5, y: y(v) + 3.5, "text-anchor": "end" };
    out.push(svg("text", { class: "tick", ...place }, Math.round(100 * v)));
  }
  return out;
}

function stageMarks(scale, score, i, best) {
  const { n, x, y } = scale, at = y(score.accuracy), low = y(score.ci95[0]), high = y(score.ci95[1]), left = x(i) - 5;
  const place = { x: x(i), y: high - 7, "text-anchor": "middle" }, told = n <= 6 || [0, best, n - 1].includes(i);
  const name = i && n > 4 ? `r ${i}` : stageName(i), named = n <= 8 || i % Math.ceil(n / 8) === 0 || i === best;
  const under = { class: i === best ? "tick best" : "tick", x: x(i), y: PANEL.h - 7, "text-anchor": "middle" };
  return [
    svg("path", { class: "whisker", d: `M${x(i)},${low}V${high}M${left},${low}h10M${left},${high}h10` }),
    i === best && svg("circle", { class: "ring", cx: x(i), cy: at, r: 8 }),
    svg("circle", { class: "dot", cx: x(i), cy: at, r: 4 }),
    told && svg("text", { class: "value", ...place }, percent(score.accuracy)),
    named && svg("text", under, name),
  ].filter(Boolean);
}

function scorePanel(set, most, best) {
  const scale = panelScale(set.scores.length, most), known = set.scores.map((s, i) => [i, s]).filter(([, s]) => s);
  const said = known.map(([i, s]) => `${stageName(i)} ${percent(s.accuracy)} % (${interval(s)})`).join(", ");
  const at = (value) => known.map(([i, s]) => `${scale.x(i)},${scale.y(value(s))}`);
  const band = [...at((s) => s.ci95[1]), ...at((s) => s.ci95[0]).reverse()].join(" ");
  const chart = svg(
    "svg",
    { viewBox: `0 0 ${PANEL.w} ${PANEL.h}`, role: "img", "aria-label": `${set.name}: ${said}` },
    rungs(scale),
    known.length > 1 ? svg("polygon", { class: "band", points: band }) : null,
    svg("polyline", { class: "line", points: at((s) => s.accuracy).join(" ") }),
    known.map(([i, s]) => stageMarks(scale, s, i, best)),
  );
  const role = el("span", null, `${words(set.role)}, n = ${counted(known[0][1])}`);
  return el("figure", { class: "panel" }, el("figcaption", null, el("strong", null, set.name), role), chart);
}

// Base (open circle) and best (filled circle) on a scale of 0 to 100, both with their intervals.
function dumbbell(base, best) {
  const w = 220,
    x = (v) => 6 + v * (w - 12);
  const bar = (s, y, kind) => [
    svg("line", { class: `whisker ${kind}`, x1: x(s.ci95[0]), x2: x(s.ci95[1]), y1: y, y2: y }),
    svg("circle", { class: kind, cx: x(s.accuracy), cy: y, r: 4 }),
  ];
  return svg(
    "svg",
    { viewBox: `0 0 ${w} 30`, class: "dumbbell", "aria-hidden": "true" },
    [0, 0.25, 0.5, 0.75, 1].map((v) => svg("line", { class: "grid", x1: x(v), x2: x(v), y1: 2, y2: 28 })),
    bar(base, 9, "open"),
    best ? bar(best, 21, "dot") : [],
  );
}

// A bar of labelled parts, each as wide as its share; `parts` are [name, count, class].
function shares(parts) {
  const chart = el("div", { class: "shares", "aria-hidden": "true" });
  for (const [name, n, kind] of parts) {
    const part = el("span", { class: kind }, name.split(" (")[0]);
    part.style.flexGrow = String(n);
    if (n) chart.append(part);
  }
  return el(
    "div",
    null,
    chart,
    el(
      "p",
      { class: "quiet" },
      parts.map(([name, n, kind]) => el("span", { class: "key" }, el("i", { class: kind }), ` ${number(n)} ${name} `)),
    ),
  );
}
