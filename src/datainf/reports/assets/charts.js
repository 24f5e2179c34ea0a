// Histograms of scores, drawn when they come into view. The chart library lies packed in
// the page and is unpacked when the first chart needs it.
const charts = new Map();
let library = null;

const loadLibrary = async () => {
  const script = document.createElement("script");
  script.textContent = await unpack("library").text();
  document.head.append(script);
};

const probe = document.body.appendChild(el("span", { hidden: true }));
const colour = (name) => {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
};
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const traces = ({ edges, counts, marks }, unit) => {
  const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2 / unit);
  const short = (value) => minus((value / unit).toPrecision(3));
  const tone = (value) => colour(value < 0 ? "proponent" : "opponent");
  return [
    {
      type: "bar", x: middles, y: counts, yaxis: "y",
      width: counts.map((_, i) => ((edges[i + 1] - edges[i]) / unit) * 0.9),
      marker: { color: middles.map(tone), opacity: 0.75 },
      customdata: counts.map((_, i) => `${short(edges[i])} to ${short(edges[i + 1])}`),
      hovertemplate: "%{y} examples from %{customdata}<extra></extra>",
    },
    {
      type: "scatter", mode: "markers", yaxis: "y2",
      x: marks.map((mark) => mark[0] / unit), y: marks.map(() => 0),
      marker: {
        symbol: "line-ns-open", size: 11, line: { width: 1.75 },
        color: marks.map((mark) => tone(mark[0])),
      },
      customdata: marks.map((mark) => `example ${escaped(mark[1])}, ${short(mark[0])}`),
      hovertemplate: "%{customdata}<extra></extra>",
    },
  ];
};

const layout = () => {
  const axis = {
    gridcolor: colour("line"), linecolor: colour("soft"), zeroline: false, fixedrange: true,
    automargin: true,
  };
  return {
    height: 176, margin: { l: 8, r: 8, t: 8, b: 8 }, bargap: 0, showlegend: false,
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", dragmode: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("soft") },
    separators: ".,",
    xaxis: { ...axis, anchor: "y2", showgrid: false, zeroline: true, zerolinecolor: colour("soft"), nticks: 8 },
    yaxis: { ...axis, domain: [0.2, 1], title: { text: "examples" }, nticks: 4, rangemode: "tozero" },
    yaxis2: { ...axis, domain: [0, 0.16], visible: false, range: [-1, 1] },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
  };
};

const paint = (query, host) => window.Plotly.react(
  host, traces(query.chart, 10 ** query.power), layout(), { displayModeBar: false, responsive: true },
);

const draw = async (host) => {
  try {
    library ??= loadLibrary();
    await library;
    if (host.isConnected) await paint(charts.get(host), host);
  } catch {
    host.textContent = "This browser cannot draw the chart; the numbers are below.";
  }
};

const inView = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    draw(target);
  }
}, { rootMargin: "200px" });

const chart = (query) => {
  const host = el("div", { class: "chart", role: "img", "aria-label": "Histogram of the query's scores" });
  charts.set(host, query);
  inView.observe(host);
  return el("figure", {},
    el("figcaption", {}, "Scores of all training examples", query.power ? [" in", ...unitOf(query.power).map((part) => typeof part === "string" ? part.replace(" ·", "") : part)] : [],
      "; the listed ones are marked below the bars"), host);
};

const dropCharts = (inside) => {
  for (const host of inside.querySelectorAll(".chart")) {
    window.Plotly?.purge(host);
    charts.delete(host);
  }
};
const repaint = () => {
  if (window.Plotly) charts.forEach((query, host) => host.childElementCount && paint(query, host));
};
