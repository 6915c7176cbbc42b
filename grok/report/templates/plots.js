// Plots: plotly.js and the data are unpacked when the first claim with a plot is opened.
const darkQuery = matchMedia("screen and (prefers-color-scheme: dark)");
let loading, pool;

async function unpack(name) {
  const text = document.querySelector(`script[data-packed=${name}]`).textContent;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

function load() {
  loading ??= Promise.all([unpack("plotly"), unpack("plots")]).then(([source, data]) => {
    // plotly.js brings the styles of its maps, which the page's policy refuses aloud; it looks whether they are there
    for (const [, id] of source.matchAll(/getElementById\("([0-9a-f]{64})"\)/g)) document.head.append(Object.assign(document.createElement("meta"), { id }));
    const script = document.createElement("script");
    script.textContent = source;
    document.head.append(script);
    pool = JSON.parse(data);
  });
  return loading;
}

async function drawAll(claim) {
  const figures = [...claim.querySelectorAll(".plot")];
  if (!figures.length) return;
  await load();
  for (const figure of figures) if (!figure.dataset.drawn) draw(figure);
}

function draw(figure, theme = darkQuery.matches ? "dark" : "light") {
  const series = JSON.parse(figure.dataset.series);
  const which = figure.querySelector(".which");
  const chosen = figure.dataset.overlaid ? series : [series[which ? Number(which.value) : 0]];
  const data = chosen.map((one) => pool[one.data]);
  const plot = kindOf(figure.dataset.kind, data[0])(data, chosen, theme);
  const axis = { gridcolor: ink("--grid", theme), zerolinecolor: ink("--rule", theme), automargin: true };
  const layout = {
    height: 340, margin: { l: 55, r: 15, t: 28, b: 45 }, paper_bgcolor: "transparent",
    plot_bgcolor: "transparent", font: { family: "system-ui, sans-serif", size: 12, color: ink("--ink", theme) },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, hovermode: plot.layout.coloraxis ? "closest" : "x unified", barmode: "group",
    hoverlabel: { bgcolor: ink("--card", theme), font: { color: ink("--ink", theme) } }, ...plot.layout,
  };
  for (const key of new Set([...Object.keys(layout), "xaxis", "yaxis"])) if (/^[xy]axis\d*$/.test(key)) layout[key] = { ...axis, ...layout[key] };
  const svg = { name: "svg", title: "Download plot as an SVG", icon: Plotly.Icons.disk, click: (canvas) => Plotly.downloadImage(canvas, { format: "svg" }) };
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"], modeBarButtonsToAdd: [svg] };
  figure.dataset.drawn = theme;
  figure.classList.toggle("square", Boolean(plot.square));
  return Plotly.react(figure.querySelector(".canvas"), plot.traces, layout, config);
}

for (const which of document.querySelectorAll(".which"))
  which.addEventListener("change", async () => { await load(); draw(which.closest(".plot")); });
// Paper is white: dark plots are drawn again in light for it.
function redraw(theme) {
  for (const figure of document.querySelectorAll(".plot[data-drawn]")) if (figure.dataset.drawn !== theme) draw(figure, theme);
}
darkQuery.addEventListener("change", () => redraw(darkQuery.matches ? "dark" : "light"));
addEventListener("beforeprint", () => redraw("light"));
addEventListener("afterprint", () => redraw(darkQuery.matches ? "dark" : "light"));
openAnchor();
for (const claim of claims) if (claim.open) drawAll(claim);
