// Performance profiles, with a threshold to read them at.

let drawProfiles;

function setUpProfiles() {
  drawProfiles = drawAtWidth("profile-chart", profileChart);
  byId("threshold").addEventListener("input", (event) => moveThreshold(Number(event.target.value)));
}

function renderProfiles() {
  drawProfiles();
  moveThreshold(state.threshold);
}

function profileChart(width) {
  const rows = chartedRows();
  const height = Math.round(Math.min(400, Math.max(260, width * 0.6)));
  const x = (score) => 50 + score * (width - 62);
  const y = (share) => height - 46 - share * (height - 58);
  const parts = axes(x, y, "score threshold", "share of runs above it");
  const path = (values) => values.map((value, index) => `${x(index / 100).toFixed(1)} ${y(value).toFixed(1)}`);
  for (const row of rows) {
    const [, low, high] = row.profile;
    if (low) parts.push(s("path", { class: `band series-${colourOf(row)}`, d: `M${path(low).join("L")}L${path(high).reverse().join("L")}Z` }));
  }
  for (const row of rows) {
    const index = colourOf(row);
    parts.push(s("path", { class: `curve series-${index}`, "stroke-dasharray": DASHES[index], d: `M${path(row.profile[0]).join("L")}` }));
  }
  parts.push(s("line", { id: "threshold-line", class: "cursor", y1: y(0), y2: y(1), x1: x(0), x2: x(0), "data-left": x(0), "data-right": x(1) }));
  const chart = s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Performance profiles of ${rows.map(labelOf).join(", ") || "no agent"}; the table beside holds the values at the threshold` },
    parts,
  );
  chart.addEventListener("pointermove", (event) => {
    const score = (event.clientX - chart.getBoundingClientRect().left - x(0)) / (x(1) - x(0));
    moveThreshold(Math.round(100 * Math.min(1, Math.max(0, score))));
  });
  requestAnimationFrame(() => moveThreshold(state.threshold));
  return chart;
}

function moveThreshold(percent) {
  state.threshold = percent;
  byId("threshold").value = percent;
  byId("threshold-value").textContent = (percent / 100).toFixed(2);
  const line = byId("threshold-line");
  if (line) {
    const at = Number(line.dataset.left) + (percent / 100) * (line.dataset.right - line.dataset.left);
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
  }
  const rows = chartedRows();
  const shares = (row) => row.profile.map((values) => values && values[percent]);
  rows.sort((a, b) => shares(b)[0] - shares(a)[0]);
  const body = rows.map((row) =>
    h("tr", {}, h("th", { scope: "row" }, swatch(row), " ", labelOf(row)), h("td", {}, number(shares(row)[0])), h("td", { class: "interval" }, intervalText(shares(row)))),
  );
  const head = ["Agent", "Share", "95%"].map((heading) => h("th", { scope: "col" }, heading));
  fill("profile-table", rows.length ? h("table", { class: "small" }, h("caption", { class: "hidden" }, "Share of runs above the threshold"), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)) : nothingTicked());
}
