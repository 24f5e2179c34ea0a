// All training examples as one table, of which only the rows in view exist.
const HEIGHT = 44, BEYOND = 8;
const viewport = byId("row-viewport"), tbody = byId("row-body");
const rowQuery = byId("row-query");
fillQueries(rowQuery);

const numeric = (text) => {
  const value = Number(text.replace(/,/g, "").replace(/−/g, "-"));
  return text.trim() !== "" && Number.isFinite(value) ? value : null;
};
// Columns of the table: a name, what it sorts by, and how a cell is made.
const columns = [
  { name: "index", key: (i) => rows[i].index, cell: (i) => el("td", { class: "number" }, rows[i].index) },
  { name: "score", key: (i) => scoreOf(asked(), i), cell: (i) => {
    const value = scoreOf(asked(), i);
    return el("td", { class: "measure" }, bar(value, largest), el("span", { class: "amount" }, number(value)));
  } },
  { name: "text", key: (i) => rows[i].text ?? "", cell: (i) => el("td", { class: "line" },
    rows[i].picture && el("img", { class: "small", src: rows[i].picture, alt: "" }),
    el("span", { dir: "auto" }, oneLine(rows[i].text ?? "–", 200))) },
  ...data.columns.map(({ name, flag }, place) => ({
    name, key: (i) => rows[i].tags[place],
    cell: (i) => el("td", { class: flag ? `flag ${rows[i].tags[place]}` : "line" }, el("span", {}, rows[i].tags[place])),
  })),
];
let order = [], largest = 1, active = 0, sorted = { at: 1, falling: false };
const asked = () => chosenQuery(rowQuery);

columns.forEach((column, at) => {
  byId("row-head").append(el("th", { scope: "col", class: column.name === "score" && at === 1 ? "measure" : null },
    el("button", { type: "button", "data-sort": at }, column.name)));
});

// A choice for each column that makes groups.
const filters = data.groups.slice(0, 6).map((group) => {
  const place = data.columns.findIndex((column) => column.name === group.column);
  const select = el("select", {}, el("option", { value: "" }, "any"),
    group.names.map((name, i) => el("option", { value: i }, name)));
  byId("row-filters").append(el("label", {}, group.column, " ", select));
  select.addEventListener("change", () => layRows());
  return (i) => select.value === "" || rows[i].tags[place] === group.names[Number(select.value)];
});

const rowHay = [];
const rowHayOf = (i) => (rowHay[i] ??= [rows[i].index, rows[i].text ?? "", ...rows[i].tags].join("\n").toLowerCase());

const sortRows = () => {
  const { key } = columns[sorted.at];
  const keys = new Map(order.map((i) => [i, key(i)]));
  if (sorted.at !== 1) {
    const numbers = order.map((i) => numeric(keys.get(i)));
    if (numbers.every((value) => value !== null)) order.forEach((i, at) => keys.set(i, numbers[at]));
  }
  const sign = sorted.falling ? -1 : 1;
  order.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    return sign * (typeof x === "number" ? x - y : x.localeCompare(y)) || a - b;
  });
  [...byId("row-head").children].forEach((head, at) => {
    if (at === sorted.at) head.setAttribute("aria-sort", sorted.falling ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
};

const spacer = (height) => el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", { colspan: columns.length, "--height": `${height}px` }));
const layWindow = (all = 0) => {
  const first = all ? 0 : Math.max(0, Math.floor(viewport.scrollTop / HEIGHT) - BEYOND);
  const last = all || Math.min(order.length, first + Math.ceil(viewport.clientHeight / HEIGHT) + 2 * BEYOND);
  const focused = tbody.contains(document.activeElement);
  tbody.replaceChildren(
    spacer(first * HEIGHT),
    ...order.slice(first, last).map((i, at) => el("tr", {
      tabindex: first + at === active ? 0 : -1, "data-position": i, "data-at": first + at,
      "aria-rowindex": first + at + 2,
    }, columns.map((column) => column.cell(i)))),
    spacer(Math.max(0, order.length - last) * HEIGHT),
  );
  if (focused) tbody.querySelector(`[data-at="${active}"]`)?.focus({ preventScroll: true });
};

const layRows = () => {
  const words = byId("row-search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const sign = Number(byId("row-side").value);
  const query = asked();
  largest = 0;
  for (let i = 0; i < rows.length; i += 1) largest = Math.max(largest, Math.abs(scoreOf(query, i)));
  order = rows.map((_, i) => i).filter((i) => (!sign || Math.sign(scoreOf(query, i)) === sign)
    && filters.every((passes) => passes(i)) && words.every((word) => rowHayOf(i).includes(word)));
  sortRows();
  active = 0;
  viewport.scrollTop = 0;
  viewport.querySelector("table").setAttribute("aria-rowcount", order.length + 1);
  byId("rows-found").textContent = `${count(order.length)} of ${counted(data.total, "training example")}`;
  layWindow();
};

const moveTo = (at) => {
  active = Math.max(0, Math.min(order.length - 1, at));
  const top = active * HEIGHT, head = viewport.querySelector("thead").offsetHeight;
  if (top < viewport.scrollTop) viewport.scrollTop = top;
  else if (top + HEIGHT + head > viewport.scrollTop + viewport.clientHeight) viewport.scrollTop = top + HEIGHT + head - viewport.clientHeight;
  layWindow();
  tbody.querySelector(`[data-at="${active}"]`)?.focus({ preventScroll: true });
};

const notes = [];
if (rows.length < data.total) notes.push(`This page holds ${count(rows.length)} of ${count(data.total)} rows: the listed ones and the strongest of any query.`);
if (!matrix && queries.length > 1) notes.push("Scores of single queries would be too many for one page; Scores.to_pandas() has them all.");
byId("rows-note").textContent = notes.join(" ");

viewport.addEventListener("scroll", () => requestAnimationFrame(() => layWindow()), { passive: true });
new ResizeObserver(() => layWindow()).observe(viewport);
byId("row-search").addEventListener("input", layRows);
for (const id of ["row-query", "row-side"]) byId(id).addEventListener("change", layRows);
tbody.addEventListener("keydown", (event) => {
  const page = Math.floor(viewport.clientHeight / HEIGHT) - 1;
  const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: order.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    moveTo(to);
  } else if (event.key === "Enter") showRow(order[active]);
});
layRows();

// Pictures beside the rows that the page's own tables name.
for (const button of document.querySelectorAll("button[data-row]")) {
  const row = rows.find((each) => each.index === button.dataset.row);
  if (row?.picture) button.prepend(el("img", { class: "small", src: row.picture, alt: "" }));
}
