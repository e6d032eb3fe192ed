// The cluster map: a canvas of marks. A type has a colour and a shape.
const COLOURS = ["#3b76c4", "#d9822b", "#2f9e6e", "#c0486b", "#8a63c9", "#8a7a1f", "#1f97a8", "#b3592f", "#7b8794"];
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "plus", "bar", "down"];
const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HINT =
  "Hover over a point to see its bad case here. A click or tap keeps it; Escape releases it. With the keyboard: " +
  "focus the map, then use the arrow keys.";
const styleOf = (i) => ({ colour: COLOURS[i % COLOURS.length], shape: SHAPES[i % SHAPES.length] });

function outline(shape, x, y, r) {
  const p = {
    circle: `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`,
    square: `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: `M${x},${y - r}L${x + r},${y + r}H${x - r}z`,
    down: `M${x},${y + r}L${x + r},${y - r}H${x - r}z`,
    diamond: `M${x},${y - 1.3 * r}L${x + 1.3 * r},${y}L${x},${y + 1.3 * r}L${x - 1.3 * r},${y}z`,
    cross: `M${x - r},${y - r}l${2 * r},${2 * r}M${x + r},${y - r}l${-2 * r},${2 * r}`,
    plus: `M${x - r},${y}h${2 * r}M${x},${y - r}v${2 * r}`,
    bar: `M${x - 1.3 * r},${y - r / 2}h${2.6 * r}v${r}h${-2.6 * r}z`,
  };
  return p[shape];
}

function markOf(type) {
  const { colour, shape } = styleOf(type);
  const path = svg("path", { d: outline(shape, 8, 8, 5), fill: colour, stroke: colour, "stroke-width": 2 });
  return svg("svg", { class: "mark", viewBox: "0 0 16 16", "aria-hidden": "true" }, path);
}

class ClusterMap {
  constructor(view) {
    Object.assign(this, { view, round: 0, points: [], chosen: -1, fixed: false, hidden: new Set() });
    const name = "Map of bad cases. Use the arrow keys to go from point to point.";
    this.canvas = el("canvas", { class: "map", tabindex: "0", role: "application", "aria-label": name });
    this.detail = el("div", { class: "detail", "aria-live": "polite" });
    this.legend = el("div", { class: "legend", role: "group", "aria-label": "Error types shown" });
    this.mapping = el("div", { class: "mapping" }, this.canvas, this.detail, this.legend);
    const none = "The run folder has no map of this round (cluster_map.jsonl is missing).";
    this.none = el("p", { class: "note", hidden: true }, none);
    const text = (r) => `${r.round} (${plural(r.points.length, "point")}, ${plural(r.types.length, "type")})`;
    const rounds = view.rounds.map((r, i) => [i, text(r)]);
    const [label] = choice("Round", rounds, (v) => this.go(Number(v)));
    this.box = el("div", null, el("div", { class: "filters" }, label), this.none, this.mapping);
    this.listen();
    requestAnimationFrame(() => this.go(0));
  }

  listen() {
    this.canvas.addEventListener("mousemove", (e) => this.fixed || this.show(this.nearest(e)));
    this.canvas.addEventListener("click", (e) => {
      const at = this.nearest(e);
      this.fixed = at >= 0;
      this.show(at);
    });
    this.canvas.addEventListener("keydown", (e) => this.step(e));
    window.addEventListener("resize", later(() => this.points.length && this.layout(), 150));
  }

  go(round) {
    this.round = round;
    this.fixed = false;
    this.none.hidden = this.view.rounds[round].points.length > 0;
    this.mapping.hidden = !this.none.hidden;
    this.layout();
    this.show(-1);
    this.list();
  }

  layout() {
    const { view, round, canvas } = this;
    const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, edge = 14;
    canvas.width = Math.max(1, box.width * ratio);
    canvas.height = Math.max(1, box.height * ratio);
    const raw = view.rounds[round].points;
    const span = (k) => raw.reduce(([a, b], p) => [Math.min(a, p[k]), Math.max(b, p[k])], [Infinity, -Infinity]);
    const [left, right] = span(0), [low, high] = span(1);
    this.points = raw.map(([x, y, at, type]) => ({
      x: edge + ((x - left) / (right - left || 1)) * (box.width - 2 * edge),
      y: edge + ((high - y) / (high - low || 1)) * (box.height - 2 * edge),
      item: view.caseOf(round, at),
      type: view.typeIndex.get(type),
    }));
    // Equal keyphrases have the same position: a mark grows with the number of its cases.
    const place = (p) => `${Math.round(p.x)} ${Math.round(p.y)} ${p.type}`, counts = new Map();
    for (const p of this.points) counts.set(place(p), (counts.get(place(p)) || 0) + 1);
    for (const p of this.points) p.grown = Math.min(2.5, Math.sqrt(counts.get(place(p))));
    this.draw();
  }

  draw() {
    const { canvas, points } = this, pen = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const r = points.length > 1500 ? 2.6 : 4;
    pen.globalAlpha = points.length > 400 ? 0.65 : 0.85;
    pen.lineWidth = 1.6;
    for (const p of points) {
      if (this.hidden.has(p.type)) continue;
      const { colour, shape } = styleOf(p.type), path = new Path2D(outline(shape, p.x, p.y, r * p.grown));
      pen.fillStyle = pen.strokeStyle = colour;
      if (shape === "cross" || shape === "plus") pen.stroke(path);
      else pen.fill(path);
    }
    const p = points[this.chosen];
    if (!p) return;
    pen.globalAlpha = 1;
    pen.lineWidth = 2.5;
    pen.strokeStyle = getComputedStyle(canvas).color;
    pen.stroke(new Path2D(outline("circle", p.x, p.y, 5 + r * p.grown)));
  }

  show(i) {
    this.chosen = i;
    this.draw();
    const p = this.points[i];
    const hint = el("p", { class: "quiet" }, HINT);
    this.detail.replaceChildren(p ? el("div", null, this.others(i), this.view.describe(p.item)) : hint);
  }

  // The number of cases at the same position, with a button for the next one.
  others(i) {
    const p = this.points[i];
    const near = (q) => Math.hypot(p.x - q.x, p.y - q.y) < 2 && !this.hidden.has(q.type);
    const here = this.points.flatMap((q, j) => (near(q) ? [j] : [])), place = here.indexOf(i);
    if (here.length < 2) return null;
    const next = () => {
      this.fixed = true;
      this.show(here[(place + 1) % here.length]);
      this.detail.querySelector("button").focus();
    };
    const button = el("button", { type: "button", onclick: next }, "next one here");
    return el("p", null, `${place + 1} of ${here.length} bad cases at this place `, button);
  }

  closest(distance, within) {
    let best = -1, least = within;
    this.points.forEach((p, i) => {
      const far = this.hidden.has(p.type) ? Infinity : distance(p);
      if (far < least) [best, least] = [i, far];
    });
    return best;
  }

  nearest(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    return this.closest((p) => Math.hypot(p.x - x, p.y - y), 20);
  }

  step(event) {
    if (event.key === "Escape") {
      this.fixed = false;
      this.show(-1);
    }
    const way = WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    const from = this.points[this.chosen] || { x: 0, y: 0 };
    const best = this.closest((p) => {
      const x = p.x - from.x, y = p.y - from.y, along = x * way[0] + y * way[1];
      return along > 0.01 ? along + 3 * Math.abs(x * way[1] + y * way[0]) : Infinity;
    }, Infinity);
    if (best >= 0) this.show(best);
  }

  list() {
    const index = this.view.typeIndex, at = [...this.legend.children].indexOf(document.activeElement);
    const types = this.view.rounds[this.round].types.map(([name, size]) => [index.get(name), name, size]);
    types.sort((a, b) => b[2] - a[2]);
    const button = (text, change, rest) => {
      const act = () => {
        change();
        this.list();
        this.draw();
      };
      return el("button", { type: "button", onclick: act, ...rest }, text);
    };
    const none = () => types.forEach(([i]) => this.hidden.add(i));
    const turn = (i) => () => this.hidden.delete(i) || this.hidden.add(i);
    const state = (i) => ({ class: "type", "aria-pressed": String(!this.hidden.has(i)) });
    const of = ([i, name, size]) => button([markOf(i), ` ${short(name, 80)} (${size})`], turn(i), state(i));
    const all = [button("show all", () => this.hidden.clear()), button("hide all", none)];
    this.legend.replaceChildren(...all, ...types.map(of));
    if (at >= 0) this.legend.children[at].focus();
  }
}
