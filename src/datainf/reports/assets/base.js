// What every part uses: the page's data, elements made of text alone, numbers, dialogs.
// Nothing here or elsewhere takes markup from the data: texts become text nodes.
const root = document.documentElement;
root.classList.add("scripted");
const byId = (id) => document.getElementById(id);

const unpack = (id) => {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
};

const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};

let data, matrix;
try {
  data = await unpack("data").json();
  matrix = byId("scores").textContent ? new Float32Array(await unpack("scores").arrayBuffer()) : null;
} catch {
  byId("query-list").textContent = "This browser is too old to unpack the rows; `datainf top` lists them in a terminal.";
  return;
}
const { rows, queries } = data;
const scoreOf = (query, row) => (query < 0 ? data.mean[row] : matrix[query * rows.length + row]);

const minus = (text) => text.replace(/-/g, "−");
const number = (value) => {
  const size = Math.abs(value), plain = value === 0 || (size >= 1e-4 && size < 1e7);
  const text = plain ? value.toLocaleString("en-US", { maximumSignificantDigits: 4 }) : value.toExponential(3);
  return (value > 0 ? "+" : "") + minus(text);
};
const count = (value) => value.toLocaleString("en-US");
const counted = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
const side = (value) => (value < 0 ? "proponents" : value > 0 ? "opponents" : "");
const unitOf = (power) => (power ? [" · units of 10", el("sup", {}, minus(String(power)))] : []);

const isLong = (text) => text.length > 320 || text.split("\n").length > 5;
const oneLine = (text, most = 160) => {
  const line = text.slice(0, 2 * most).split(/\s+/).filter(Boolean).join(" ");
  return line.length <= most ? line : `${line.slice(0, most).trimEnd()}…`;
};
const nameOf = (query) => (query.text === undefined ? `Query ${query.index}` : oneLine(query.text));

const passage = (row) => {
  if (row.text === undefined) return null;
  const long = isLong(row.text);
  return el(
    "div", { class: long ? "passage long" : "passage" },
    el("div", { class: "words", dir: "auto" }, row.text + (row.size ? "…" : "")),
    long && el("button", { type: "button", class: "more", "aria-expanded": "false", "data-less": "Show less" },
      `Show all ${count(row.text.length)} characters`),
    row.size && el("p", { class: "fine" }, `The first ${count(row.text.length)} of ${count(row.size)} characters are kept here.`),
  );
};

const tags = (row, columns, asked = null) => {
  if (!columns.length) return null;
  const theirs = new Map(asked ? data.queryColumns.map((column, i) => [column.name, asked.tags[i]]) : []);
  return el("ul", { class: "tags" }, columns.map(({ name, flag }, i) => {
    const value = row.tags[i];
    const same = !flag && theirs.get(name) === value;
    return el("li", { class: flag ? value : same ? "same" : "plain", title: same ? "the same as the query's" : null },
      el("span", {}, name), " ", el("bdi", {}, value));
  }));
};

const picture = (row, what) => row.picture
  && el("img", { class: "picture", src: row.picture, alt: `${what} ${row.index}`, loading: "lazy", decoding: "async" });

// A choice of queries, "all" first where there are several.
const fillQueries = (select) => {
  if (queries.length > 1) select.append(el("option", { value: -1 }, "the mean loss of all queries"));
  if (matrix || queries.length === 1) {
    queries.forEach((query, i) => select.append(el("option", { value: i }, `${query.index}: ${oneLine(nameOf(query), 60)}`)));
  }
};
const chosenQuery = (select) => (queries.length === 1 && !matrix ? -1 : Number(select.value));

const showRow = (position) => {
  const row = rows[position];
  const scores = matrix ? queries.map((_, query) => scoreOf(query, position)) : [];
  const list = (name, sign) => {
    const best = scores.map((value, query) => [value, query]).filter(([value]) => Math.sign(value) === sign)
      .sort((a, b) => sign * (b[0] - a[0])).slice(0, 5);
    return best.length && el("section", { class: `side ${name}` },
      el("h3", {}, sign < 0 ? "Queries it taught most" : "Queries it opposes most"),
      el("ol", {}, best.map(([value, query]) => el("li", {},
        el("p", { class: "row plain" }, el("span", { class: "score" }, number(value)),
          el("a", { href: `#query-${query + 1}`, "data-query-link": query }, el("bdi", {}, nameOf(queries[query]))))))));
  };
  byId("row-detail").replaceChildren(
    el("h2", {}, "Training example ", el("bdi", {}, row.index)),
    ...[picture(row, "Training example"), passage(row), tags(row, data.columns),
      el("p", { class: "fine" }, `Influence on the mean loss of ${counted(queries.length, "query", "queries")}: ${number(data.mean[position])}`),
      el("div", { class: "sides" }, list("proponents", -1), list("opponents", 1))].filter(Boolean),
  );
  byId("row-dialog").showModal();
};
