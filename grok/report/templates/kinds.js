// How each kind of plot is drawn: KINDS[kind](data, chosen, theme) → { traces, layout, square }. data: what was recorded
// for each network of `chosen`. To add a kind, add a function here; the other kinds are lines over a common x.
const X_KEYS = ["steps", "frequencies", "tokens", "heads", "x"];
const NO_SERIES = ["phases", "labels", "axes"];
const SEQUENTIAL = { light: [[0, "#ffffff"], [0.25, "#b7cef5"], [0.6, "#3f78d8"], [1, "#0b2a66"]],
                     dark: [[0, "#171b21"], [0.35, "#234f9e"], [0.7, "#5f96f0"], [1, "#e6efff"]] };
const DIVERGING = { light: [[0, "#b3470b"], [0.5, "#ffffff"], [1, "#1557d0"]],
                    dark: [[0, "#ff9f63"], [0.5, "#171b21"], [1, "#77a9ff"]] };
// told apart by lightness too, for print in grey
const COLOURS = { light: ["#1557d0", "#c2570c", "#0b2f2a", "#8d7ad1", "#8a6100", "#3c9bb0"],
                  dark: ["#77a9ff", "#ff9f63", "#d5f5e6", "#a892ee", "#f5c26b", "#5fb9cc"] };
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const SYMBOLS = ["circle", "diamond-open", "square", "triangle-up-open", "cross", "x-open"];

// the losses look as they do on the first screen
const LOSSES = { train_loss: ["--train", "solid"], test_loss: ["--test", "solid"], restricted_loss: ["--restricted", "dash"], excluded_loss: ["--excluded", "dot"] };

const KINDS = {
  lines: (data, chosen, theme) => series(data, chosen, theme, "lines"),
  points: (data, chosen, theme) => series(data, chosen, theme, "markers"),
  bars: (data, chosen, theme) => series(data, chosen, theme, "bar"),
  fourier_norms: (data, chosen, theme) => series(data, chosen, theme, "bar"),
  attention: (data, chosen, theme) => series(data, chosen, theme, "bar"),
  fve: (data, chosen, theme) => series(data, chosen, theme, "markers"),
  pcs: (data, chosen, theme) => series(data, chosen, theme, "lines+markers"),
  matrix: ([data], _, theme) => panels({ "": matrixOf(data) }, data, theme, ["", ""]),
  spectrum_2d: ([data], _, theme) => panels({ "": matrixOf(data) }, data, theme, ["frequency in b", "frequency in a"]),
  error_table: ([data], _, theme) => panels({ "": matrixOf(data) }, data, theme, ["b", "a"]),
  panels: ([data], _, theme) => panels(tables(data), data, theme, ["", ""]),
  planes: ([data], _, theme) => planes(tables(data), data, theme),
  loss_curves: (data, chosen, theme) => series(data, chosen, theme, "lines"),
  progress: (data, chosen, theme) => series(data, chosen, theme, "lines"),
};

function kindOf(kind, data) {
  return KINDS[kind] ?? (matrixOf(data) ? KINDS.matrix : KINDS.lines);
}

function tables(data) {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([key, value]) => !NO_SERIES.includes(key) && Array.isArray(value?.[0])));
}

function matrixOf(data) {
  return Object.values(tables(data))[0];
}

// Small multiples in a grid: a pair of axes for each name, with the name above it.
function grid(names, titles, square) {
  const columns = Math.min(names.length, names.length === 4 ? 2 : 3);
  const rows = Math.ceil(names.length / columns);
  const layout = { grid: { rows, columns, pattern: "independent", xgap: 0.24, ygap: 0.26 }, annotations: [], height: rows === 1 ? (columns === 1 ? 420 : 300) : 60 + 250 * rows };
  const axes = names.map((name, i) => {
    const n = i ? i + 1 : "";
    const bottom = i + columns >= names.length;
    layout[`xaxis${n}`] = { title: { text: bottom ? titles[0] : "" }, constrain: "domain", nticks: 6 };
    layout[`yaxis${n}`] = { title: { text: i % columns ? "" : titles[1] }, constrain: "domain", nticks: 6, ...(square ? { scaleanchor: `x${n}` } : {}) };
    if (name) layout.annotations.push({ text: label(name), xref: `x${n} domain`, yref: `y${n} domain`, x: 0, y: 1, xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12 } });
    return { xaxis: `x${n}`, yaxis: `y${n}` };
  });
  return { layout, axes };
}

function panels(matrices, data, theme, titles) {
  const names = Object.keys(matrices);
  const { layout, axes } = grid(names, titlesOf(data, titles), true);
  const values = Object.values(matrices).flat(2).filter((value) => value !== null);
  const negative = values.some((value) => value < 0);
  const most = values.reduce((best, value) => Math.max(best, Math.abs(value)), 1e-12);
  layout.coloraxis = { colorscale: (negative ? DIVERGING : SEQUENTIAL)[theme], cmin: negative ? -most : 0, cmax: most, colorbar: { thickness: 12, outlinewidth: 0 } };
  const traces = names.map((name, i) => ({
    type: "heatmap", z: matrices[name], x: data.x, y: data.y, coloraxis: "coloraxis", ...axes[i],
    texttemplate: names.length === 1 && matrices[name].length <= 20 ? "%{z:.3~g}" : undefined,
    hovertemplate: "%{y}, %{x}: %{z:.4~g}<extra></extra>",
  }));
  for (const key of Object.keys(layout)) if (key.startsWith("yaxis")) layout[key].autorange = "reversed";
  return { traces, layout, square: names.length === 1 };
}

function planes(points, data, theme) {
  const names = Object.keys(points);
  const { layout, axes } = grid(names, titlesOf(data, ["", ""]), true);
  const traces = names.map((name, i) => ({
    type: "scatter", mode: data.labels ? "markers+text" : "markers", x: points[name].map(([x]) => x), y: points[name].map(([, y]) => y),
    text: data.labels?.map(escapeMarkup), textposition: "top center", textfont: { size: 10 }, showlegend: false, ...axes[i],
    marker: { size: data.labels ? 5 : 7, color: COLOURS[theme][0] }, hovertemplate: `${data.labels ? "%{text}: " : ""}%{x:.4~g}, %{y:.4~g}<extra></extra>`,
  }));
  return { traces, layout: { ...layout, hovermode: "closest" }, square: names.length === 1 };
}

function series(found, chosen, theme, mode) {
  const trained = chosen.filter((one) => !mustFail(one));
  const traces = [];
  chosen.forEach((one, at) => {
    const data = found[at] ?? {};
    const xKey = X_KEYS.find((key) => Array.isArray(data[key]));
    const names = Object.keys(data).filter((key) => Array.isArray(data[key]) && key !== xKey && !NO_SERIES.includes(key));
    names.forEach((name, i) => {
      const [variable, dash] = LOSSES[name] ?? [];
      const colour = variable ? ink(variable, theme) : COLOURS[theme][i % COLOURS[theme].length];
      const seed = Math.max(trained.indexOf(one), 0);
      const grouped = mode === "lines" && trained.length > 3 && seed;
      traces.push({
        type: mode === "bar" ? "bar" : "scatter", mode: mode === "bar" ? undefined : mode, x: data[xKey], y: data[name],
        name: label(name) + (chosen.length > 1 ? `, ${one.subject}` : ""),
        marker: { color: colour, size: 8, symbol: mode === "markers" ? SYMBOLS[i % SYMBOLS.length] : undefined, line: { color: colour, width: 1.5 } },
        line: { color: colour, width: seed ? 1 : 2, dash: mustFail(one) ? "dashdot" : dash ?? DASHES[i % DASHES.length] },
        opacity: seed ? 0.55 : 1, visible: mustFail(one) && trained.length ? "legendonly" : true,
        legendgroup: grouped ? name : undefined, showlegend: !(grouped && !mustFail(one)),
      });
    });
  });
  const first = found[0] ?? {};
  const values = traces.flatMap((trace) => trace.y).filter((value) => typeof value === "number");
  const log = mode === "lines" && values.every((value) => value > 0) && Math.max(...values) > 100 * Math.min(...values);
  const titles = titlesOf(first, [X_KEYS.find((key) => key !== "x" && Array.isArray(first[key])) ?? "", ""]);
  const layout = { xaxis: { title: { text: titles[0] } }, yaxis: { title: { text: titles[1] }, ...(log ? { type: "log", exponentformat: "power", dtick: 1 } : {}) }, shapes: [], annotations: [] };
  if (typeof first.line === "number") mark(layout, { y0: first.line, y1: first.line, x0: 0, x1: 1, xref: "paper" }, `${first.line}`, theme);
  for (const [name, step] of phases(first.phases)) mark(layout, { x0: step, x1: step, y0: 0, y1: 1, yref: "paper" }, name, theme);
  return { traces, layout };
}

function titlesOf(data, titles) {
  return Array.isArray(data.axes) ? data.axes.map(escapeMarkup) : titles;
}

function phases(given) {
  if (Array.isArray(given)) return given.map((one, i) => (Array.isArray(one) ? one : [`phase ${i + 1} ends`, one])).filter(([, step]) => typeof step === "number");
  return Object.entries(given ?? {}).filter(([, step]) => typeof step === "number");
}

function mark(layout, where, text, theme) {
  const colour = ink("--control", theme);
  layout.shapes.push({ type: "line", ...where, line: { color: colour, width: 1.5, dash: "dash" } });
  const at = where.yref ? { x: where.x0, y: 1, yref: "paper", xanchor: "right", yanchor: "top", textangle: -90 } : { x: 1, xref: "paper", xanchor: "right", y: where.y0, yanchor: "bottom" };
  layout.annotations.push({ ...at, text: escapeMarkup(text), showarrow: false, font: { size: 11 } });
}

// A colour of the style sheet: that of the screen, or that of paper, which is told before the page is laid out for it.
function ink(variable, theme) {
  document.documentElement.classList.toggle("paper", theme === "light");
  const colour = getComputedStyle(document.documentElement).getPropertyValue(variable);
  document.documentElement.classList.remove("paper");
  return colour;
}

function mustFail(one) {
  return one.role === "control" || one.role === "rival";
}

// plotly reads <b>, <a href> and the like in texts; names are data
const escapeMarkup = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const label = (name) => escapeMarkup((name.length > 40 ? `${name.slice(0, 39)}…` : name).replaceAll("_", " "));
