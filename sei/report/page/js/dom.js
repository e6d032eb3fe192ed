// Building blocks. Text from models enters the page only through textContent.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === "") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const number = (x) => Number(x || 0).toLocaleString("en-US");
const percent = (x) => (100 * x).toFixed(1);
const interval = (score) => `${percent(score.ci95[0])} – ${percent(score.ci95[1])}`;
const signed = (x) => (x < 0 ? "−" : "+") + percent(Math.abs(x));
const words = (name) => String(name).replaceAll("_", " ");
const stageName = (i) => (i === 0 ? "base" : `round ${i}`);
const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many || one + "s"}`;
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function table(heads, rows, caption, columns) {
  const kind = (i) => ({ class: { n: "n", s: "spare" }[(columns || "")[i]] });
  const rowOf = (cells) =>
    el(
      "tr",
      null,
      cells.map((c, i) => (i ? el("td", kind(i), c) : el("th", { scope: "row" }, c))),
    );
  const body = [
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        heads.map((h, i) => el("th", { scope: "col", ...kind(i) }, h)),
      ),
    ),
    el("tbody", null, rows.map(rowOf)),
  ];
  const scroller = el(
    "div",
    { class: "wide", tabindex: "0", role: "group", "aria-label": caption },
    el("table", null, body),
  );
  return el("div", null, el("p", { class: "quiet" }, caption), scroller);
}

function section(id, title, lead, ...children) {
  const head = el("h2", { id: `${id}-title` }, title);
  return el(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    head,
    lead && el("p", { class: "lead" }, lead),
    children,
  );
}

// A labelled choice; `options` are [value, text] pairs.
function choice(label, options, change) {
  const list = el(
    "select",
    { onchange: () => change(list.value) },
    options.map(([v, t]) => el("option", { value: v }, t)),
  );
  return [el("label", null, `${label} `, list), list];
}

function later(run, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, wait);
  };
}
