// Mean influence of groups, by every column that makes groups.
if (data.groups.length) {
  const [column, query] = [byId("group-column"), byId("group-query")];
  byId("groups").hidden = false;
  data.groups.forEach((group, i) => column.append(el("option", { value: i }, group.column)));
  if (queries.length > 1) query.append(el("option", { value: -1 }, "the mean loss of all queries"));
  queries.forEach((one, i) => query.append(el("option", { value: i }, `${one.index}: ${oneLine(nameOf(one), 60)}`)));
  const layGroups = () => {
    const group = data.groups[Number(column.value)], at = Number(query.value);
    const mean = (i) => (at < 0 ? group.means.reduce((sum, row) => sum + row[i], 0) / queries.length : group.means[at][i]);
    const found = group.names.map((name, i) => [name, group.counts[i], mean(i)]).sort((a, b) => a[2] - b[2]);
    const most = Math.max(...found.map(([, , value]) => Math.abs(value)));
    byId("group-table").replaceChildren(el("div", { class: "sheet" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, group.column), el("th", { scope: "col", class: "number" }, "examples"),
        el("th", { scope: "col" }, "mean influence of one example"))),
      el("tbody", {}, found.map(([name, size, value]) => el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, name)),
        el("td", { class: "number" }, count(size)),
        el("td", { class: "measure" }, bar(value, most), el("span", { class: "amount" }, number(value)))))))));
  };
  for (const select of [column, query]) select.addEventListener("change", layGroups);
  layGroups();
}
