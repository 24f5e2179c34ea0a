// Queries: a list that grows as it is scrolled; a query's rows exist while it is open.
const CHUNK = 60;
const list = byId("query-list");

const tokenView = (view) => el("div", { class: "by-token" },
  el("p", { class: "label" }, view.heading),
  el("p", { class: "words", dir: "auto" }, view.tokens.map((token) => (token.kind
    ? el("span", { class: `token ${token.kind}s`, "--share": `${token.share}%`, title: token.title }, token.text)
    : el("span", { class: "unscored" }, token.text)))),
  el("p", { class: "fine" }, "Strongest: ", el("bdi", {}, view.strongest)));

const neighbour = (each, rank, query) => {
  const row = rows[each.row];
  return el("li", { "data-train": row.index, "--share": `${each.share}%` },
    el("p", { class: "row" }, el("span", { class: "rank" }, rank), " ",
      el("span", { class: "score", title: each.score }, each.written), " ",
      el("button", { type: "button", class: "index", "data-position": each.row }, "example ", el("bdi", {}, row.index))),
    picture(row, "Training example"), passage(row), tags(row, data.columns, query),
    (each.tokens ?? []).map(tokenView),
    each.twins && el("details", { class: "twins" },
      el("summary", {}, `and ${counted(each.twins.length, "near-duplicate")}`),
      el("ol", {}, each.twins.map((twin) => neighbour(twin, "=", query)))));
};

const sideOf = (found, query) => {
  const proponents = found.name === "proponents";
  const pictured = found.rows.some((each) => rows[each.row].picture);
  return el("section", { class: `side ${found.name}` },
    el("h3", {}, proponents ? "Proponents" : "Opponents", " ",
      el("small", {}, `${count(found.rows.length)} strongest of ${count(found.total)}`, unitOf(query.power))),
    found.rows.length
      ? el("ol", { class: pictured ? "contact" : null }, found.rows.map((each, i) => neighbour(each, i + 1, query)))
      : el("p", { class: "none" }, `No training example has a ${proponents ? "negative" : "positive"} score for this query.`));
};

// A bar that grows from the middle, to the left for proponents.
const bar = (value, largest) => el("span", {
  class: `bar ${side(value)}`, "--share": `${largest ? (50 * Math.abs(value)) / largest : 0}%`, "aria-hidden": "true",
});

const layerTable = (query) => {
  if (!query.layers.length) return null;
  const largest = Math.max(...query.layers.flatMap(([, a, b]) => [Math.abs(a), Math.abs(b)]));
  return el("details", { class: "layers" },
    el("summary", {}, "Which layers the listed scores come from"),
    el("div", { class: "sheet" }, el("table", {},
      el("thead", {}, el("tr", {}, ["layer", "sum over the listed proponents", "sum over the listed opponents"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, query.layers.map(([name, ...both]) => el("tr", {},
        el("th", { scope: "row" }, el("bdi", {}, name)),
        both.map((value) => el("td", { class: "measure" }, bar(value, largest), el("span", { class: "amount" }, number(value))))))))));
};

const bodyOf = (query) => el("div", { class: "body" },
  el("div", { class: "asked" }, el("p", { class: "label" }, "Query, index ", el("bdi", {}, query.index)),
    picture(query, "Query"),
    query.text === undefined ? el("p", { class: "none" }, "No text was kept for this query.") : passage(query),
    tags(query, data.queryColumns)),
  chart(query),
  el("div", { class: "sides" }, query.sides.map((found) => sideOf(found, query))),
  layerTable(query),
  query.residual && el("p", { class: "fine" }, query.residual));

const queryOf = (position) => {
  const query = queries[position];
  const node = el("details", { class: "query", id: `query-${position + 1}`, "data-query": query.index },
    el("summary", {}, el("span", { class: "number" }, query.index),
      query.picture && el("img", { class: "small", src: query.picture, alt: "" }),
      el("span", { class: "opening", dir: "auto" }, nameOf(query))));
  node.addEventListener("toggle", () => {
    if (node.open && !node.querySelector(".body")) node.append(bodyOf(query));
    else if (!node.open && node.querySelector(".body")) {
      dropCharts(node);
      node.querySelector(".body").remove();
    }
  });
  return node;
};

let chosen = queries.map((_, i) => i);
let laid = 0;
const more = el("div", { class: "sentinel" });
const lay = () => {
  const next = chosen.slice(laid, laid + CHUNK);
  more.before(...next.map(queryOf));
  laid += next.length;
};
const atEnd = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && laid < chosen.length && lay(), { rootMargin: "600px" });

const hay = new Map();
const hayOf = (position) => {
  if (!hay.has(position)) {
    const query = queries[position];
    const listed = query.sides.flatMap((found) => found.rows).map((each) => rows[each.row]);
    hay.set(position, [query, ...listed].flatMap((row) => [row.text ?? "", ...row.tags]).join("\n").toLowerCase());
  }
  return hay.get(position);
};

const layQueries = () => {
  const words = (byId("query-search")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  chosen = queries.map((_, i) => i).filter((i) => words.every((word) => hayOf(i).includes(word)));
  const sort = byId("query-sort")?.value ?? "data";
  if (sort !== "data") {
    const which = sort === "proponent" ? 0 : 1;
    const strength = (i) => Math.abs(queries[i].sides[which].rows[0]?.score ?? 0);
    chosen.sort((a, b) => strength(b) - strength(a));
  }
  dropCharts(list);
  list.replaceChildren(more);
  laid = 0;
  lay();
  if (queries.length > 1) byId("queries-found").textContent = `${count(chosen.length)} of ${counted(queries.length, "query", "queries")}`;
  if (!chosen.length) more.before(el("p", { class: "none" }, "No query holds these words."));
};

const openQuery = (position) => {
  if (!chosen.includes(position)) {
    byId("query-search").value = "";
    layQueries();
  }
  while (!byId(`query-${position + 1}`)) lay();
  const node = byId(`query-${position + 1}`);
  node.open = true;
  node.scrollIntoView({ block: "start" });
  node.querySelector("summary").focus({ preventScroll: true });
};

layQueries();
atEnd.observe(more);
byId("query-search")?.addEventListener("input", layQueries);
byId("query-sort")?.addEventListener("change", layQueries);
const linked = /^#query-(\d+)$/.exec(location.hash);
if (linked && queries[linked[1] - 1]) openQuery(linked[1] - 1);
else list.querySelector("details.query").open = true;
