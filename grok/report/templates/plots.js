// Plots: plotly.js and the data are unpacked when the first claim with a plot is opened.
const X_KEYS = ["steps", "frequencies", "tokens", "heads", "x"];
const MODES = { fourier_norms: "bar", attention: "bar", fve: "markers", pcs: "lines+markers" };
const SEQUENTIAL = { light: [[0, "#ffffff"], [0.25, "#b7cef5"], [0.6, "#3f78d8"], [1, "#0b2a66"]],
                     dark: [[0, "#171b21"], [0.35, "#234f9e"], [0.7, "#5f96f0"], [1, "#e6efff"]] };
const DIVERGING = { light: [[0, "#b3470b"], [0.5, "#ffffff"], [1, "#1557d0"]],
                    dark: [[0, "#ff9f63"], [0.5, "#171b21"], [1, "#77a9ff"]] };
const COLOURS = { light: ["#1557d0", "#b3470b", "#0b6b3f", "#7a3fb0", "#8a6100", "#0f7285"],
                  dark: ["#77a9ff", "#ff9f63", "#6fdca0", "#c5b1fb", "#f5c26b", "#6fd3e6"] };
const darkQuery = matchMedia("(prefers-color-scheme: dark)");
let loading;

async function unpack(name) {
  const text = document.querySelector(`script[data-packed=${name}]`).textContent;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

function load() {
  loading ??= Promise.all([unpack("plotly"), unpack("plots")]).then(([source, pool]) => {
    // plotly.js brings the styles of its maps, which the page's policy refuses aloud; it looks whether they are there
    for (const [, id] of source.matchAll(/getElementById\("([0-9a-f]{64})"\)/g)) document.head.append(Object.assign(document.createElement("meta"), { id }));
    const script = document.createElement("script");
    script.textContent = source;
    document.head.append(script);
    return JSON.parse(pool);
  });
  return loading;
}

async function drawAll(claim) {
  const figures = [...claim.querySelectorAll(".plot")];
  if (!figures.length) return;
  const pool = await load();
  for (const figure of figures) if (!figure.dataset.drawn) draw(figure, pool);
}

function draw(figure, pool) {
  const series = JSON.parse(figure.dataset.series);
  const which = figure.querySelector(".which");
  const chosen = figure.dataset.overlaid ? series : [series[which ? Number(which.value) : 0]];
  const theme = darkQuery.matches ? "dark" : "light";
  const matrix = matrixOf(pool[chosen[0].data]);
  const kind = figure.dataset.kind;
  const plot = matrix ? heatmap(kind, pool[chosen[0].data], matrix, theme) : lines(kind, chosen, pool, theme);
  const css = getComputedStyle(document.documentElement);
  const axis = { gridcolor: css.getPropertyValue("--grid"), zerolinecolor: css.getPropertyValue("--rule"), automargin: true };
  const layout = {
    height: matrix ? 420 : 340, margin: { l: 55, r: 15, t: 28, b: 45 }, paper_bgcolor: "transparent",
    plot_bgcolor: "transparent", font: { family: "system-ui, sans-serif", size: 12, color: css.getPropertyValue("--ink") },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, hovermode: matrix ? "closest" : "x unified", barmode: "group",
    hoverlabel: { bgcolor: css.getPropertyValue("--card"), font: { color: css.getPropertyValue("--ink") } },
    ...plot.layout, xaxis: { ...axis, ...plot.layout.xaxis }, yaxis: { ...axis, ...plot.layout.yaxis },
  };
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
  figure.dataset.drawn = theme;
  figure.classList.toggle("square", Boolean(matrix));
  return Plotly.react(figure.querySelector(".canvas"), plot.traces, layout, config);
}

function matrixOf(data) {
  const [, matrix] = Object.entries(data ?? {}).find(([key, value]) => key !== "phases" && Array.isArray(value?.[0])) ?? [];
  return matrix;
}

function heatmap(kind, data, matrix, theme) {
  const values = matrix.flat().filter((value) => value !== null);
  const negative = values.some((value) => value < 0);
  const most = Math.max(...values.map(Math.abs), 1e-12);
  const small = matrix.length <= 20;
  const trace = {
    type: "heatmap", z: matrix, x: data.x, y: data.y, colorscale: (negative ? DIVERGING : SEQUENTIAL)[theme],
    zmin: negative ? -most : 0, zmax: most, texttemplate: small ? "%{z:.3~g}" : undefined, colorbar: { thickness: 12 },
    hovertemplate: "%{y}, %{x}: %{z:.4~g}<extra></extra>",
  };
  const title = (text) => ({ title: { text } });
  const names = kind === "spectrum_2d" ? ["frequency in b", "frequency in a"] : kind === "error_table" ? ["b", "a"] : ["", ""];
  return { traces: [trace], layout: { xaxis: { ...title(names[0]), constrain: "domain" }, yaxis: { ...title(names[1]), autorange: "reversed", scaleanchor: "x", constrain: "domain" } } };
}

function lines(kind, chosen, pool, theme) {
  const mode = MODES[kind] ?? "lines";
  const trained = chosen.filter((one) => !mustFail(one));
  const traces = [];
  for (const one of chosen) {
    const data = pool[one.data] ?? {};
    const xKey = X_KEYS.find((key) => Array.isArray(data[key]));
    const names = Object.keys(data).filter((key) => Array.isArray(data[key]) && key !== xKey && key !== "phases");
    names.forEach((name, i) => {
      const colour = COLOURS[theme][i % COLOURS[theme].length];
      const seed = Math.max(trained.indexOf(one), 0);
      traces.push({
        type: mode === "bar" ? "bar" : "scatter", mode: mode === "bar" ? undefined : mode, x: data[xKey], y: data[name],
        name: label(name) + (chosen.length > 1 ? `, ${one.subject}` : ""), marker: { color: colour, size: 8 },
        line: { color: colour, width: seed ? 1 : 2, dash: mustFail(one) ? "dot" : undefined },
        opacity: seed ? 0.55 : 1, visible: mustFail(one) && trained.length ? "legendonly" : true,
        legendgroup: mode === "lines" && trained.length > 3 && seed ? name : undefined,
        showlegend: !(mode === "lines" && trained.length > 3 && seed && !mustFail(one)),
      });
    });
  }
  const first = pool[chosen[0].data] ?? {};
  const values = traces.flatMap((trace) => trace.y).filter((value) => typeof value === "number");
  const log = mode === "lines" && values.every((value) => value > 0) && Math.max(...values) > 100 * Math.min(...values);
  const layout = { xaxis: { title: { text: X_KEYS.find((key) => key !== "x" && Array.isArray(first[key])) ?? "" } },
                   yaxis: log ? { type: "log", exponentformat: "power", dtick: 1 } : {}, shapes: [], annotations: [] };
  if (typeof first.line === "number") mark(layout, { y0: first.line, y1: first.line, x0: 0, x1: 1, xref: "paper" }, `${first.line}`);
  for (const [name, step] of phases(first.phases)) mark(layout, { x0: step, x1: step, y0: 0, y1: 1, yref: "paper" }, name);
  return { traces, layout };
}

function phases(given) {
  if (Array.isArray(given)) return given.map((one, i) => (Array.isArray(one) ? one : [`phase ${i + 1} ends`, one])).filter(([, step]) => typeof step === "number");
  return Object.entries(given ?? {}).filter(([, step]) => typeof step === "number");
}

function mark(layout, where, text) {
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--control");
  layout.shapes.push({ type: "line", ...where, line: { color: colour, width: 1.5, dash: "dash" } });
  const at = where.yref ? { x: where.x0, y: 1, yref: "paper", xanchor: "right", yanchor: "top", textangle: -90 } : { x: 1, xref: "paper", xanchor: "right", y: where.y0, yanchor: "bottom" };
  layout.annotations.push({ ...at, text: escapeMarkup(text), showarrow: false, font: { size: 11 } });
}

// plotly reads <b>, <a href> and the like in texts; names are data
const escapeMarkup = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const label = (name) => escapeMarkup((name.length > 40 ? `${name.slice(0, 39)}…` : name).replaceAll("_", " "));

for (const which of document.querySelectorAll(".which"))
  which.addEventListener("change", async () => draw(which.closest(".plot"), await load()));
darkQuery.addEventListener("change", async () => {
  for (const figure of document.querySelectorAll(".plot[data-drawn]")) draw(figure, await load());
});
openAnchor();
for (const claim of claims) if (claim.open) drawAll(claim);

function mustFail(one) {
  return one.role === "control" || one.role === "rival";
}
