// Folding of long texts, and charts that are drawn when their query is first opened.
// The chart library lies packed in the page and is unpacked when the first chart needs it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const drawn = new Set();
  let library = null;

  const unpack = async () => {
    const text = document.getElementById("library").textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  };

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const escaped = (text) =>
    text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  const traces = ({ edges, counts, marks }, unit) => {
    const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2 / unit);
    const short = (value) => (value / unit).toPrecision(3).replace("-", "−");
    const side = (value) => colour(value < 0 ? "proponent" : "opponent");
    return [
      {
        type: "bar", x: middles, y: counts, yaxis: "y",
        width: counts.map((_, i) => ((edges[i + 1] - edges[i]) / unit) * 0.9),
        marker: { color: middles.map(side), opacity: 0.75 },
        customdata: counts.map((_, i) => `${short(edges[i])} to ${short(edges[i + 1])}`),
        hovertemplate: "%{y} examples from %{customdata}<extra></extra>",
      },
      {
        type: "scatter", mode: "markers", yaxis: "y2",
        x: marks.map((mark) => mark[0] / unit), y: marks.map(() => 0),
        marker: {
          symbol: "line-ns-open", size: 11, line: { width: 1.75 },
          color: marks.map((mark) => side(mark[0])),
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

  const paint = (host) => {
    const data = charts[Number(host.dataset.chart)];
    const unit = 10 ** Number(host.dataset.power);
    const options = { displayModeBar: false, responsive: true };
    return window.Plotly.react(host, traces(data, unit), layout(), options);
  };

  const draw = async (host) => {
    if (drawn.has(host)) return;
    drawn.add(host);
    try {
      library ??= unpack();
      await library;
      await paint(host);
    } catch {
      host.textContent = "This browser cannot draw the chart; the numbers are below.";
    }
  };

  for (const query of document.querySelectorAll("details.query")) {
    const host = query.querySelector(".chart");
    query.addEventListener("toggle", () => query.open && draw(host));
    if (query.open) draw(host);
  }

  const repaint = () => window.Plotly && drawn.forEach(paint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("beforeprint", () => { root.dataset.printing = ""; repaint(); });
  addEventListener("afterprint", () => { delete root.dataset.printing; repaint(); });

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    if (button.dataset.fold) {
      const open = button.dataset.fold === "open";
      document.querySelectorAll("details.query").forEach((query) => { query.open = open; });
    } else if (button.classList.contains("more")) {
      const open = button.parentElement.classList.toggle("open");
      button.setAttribute("aria-expanded", String(open));
      [button.textContent, button.dataset.less] = [button.dataset.less, button.textContent];
    }
  });
})();
