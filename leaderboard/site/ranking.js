// The ranking: a table to sort and to filter, and the ticks that choose what the charts show.

const TRUST = {
  "self-reported": { mark: "\u25cb", label: "self-reported", meaning: "Numbers as submitted." },
  "re-run": {
    mark: "\u25d0",
    label: "re-run",
    meaning: "The maintainers evaluated a sample of the tasks anew, from the public checkpoint.",
  },
  maintainers: { mark: "\u25cf", label: "by the maintainers", meaning: "Trained and evaluated by the maintainers." },
};

// Columns: key, heading, explanation, value to sort by, whether the greatest comes first, cell.
const COLUMNS = [
  ["rank", "Rank", "Rows that share a rank cannot be told apart at 95%", (row) => row.rank, false, rankCell],
  ["name", "Agent", "Name and authors", (row) => row.name.toLowerCase(), false, nameCell],
  ["iqm", "IQM", "Interquartile mean of all tasks' and seeds' scores", (row) => row.aggregate.iqm[0], true, iqmCell],
  ["mean", "Mean", "Mean of task scores", (row) => row.aggregate.mean[0], true, (row) => estimateCell(row.aggregate.mean)],
  [
    "domain_mean",
    "Domain mean",
    "Mean over domains of their tasks' mean",
    (row) => row.aggregate.domain_mean[0],
    true,
    (row) => estimateCell(row.aggregate.domain_mean),
  ],
  [
    "improvement",
    "P(> next)",
    "How probable it is that a run of this agent scores higher than one of the next in rank, on a task drawn at random",
    (row) => row.improvement?.[0] ?? -1,
    true,
    (row) => (row.improvement ? estimateCell(row.improvement) : ["\u2013"]),
  ],
  ["seeds", "Seeds", "Training runs per task, and episodes of each", (row) => row.seeds, true, seedsCell],
  ["trust", "Trust", "How far the numbers can be trusted", (row) => DATA.levels.indexOf(row.trust.level), true, trustCell],
  ["submitted", "Date", "When it was submitted", (row) => row.submitted, true, (row) => [row.submitted]],
];

function rankCell(row) {
  return [h("span", { class: "rank" }, row.tied ? h("span", { title: "shared rank" }, "=") : "", String(row.rank))];
}

function nameCell(row) {
  return [
    h("button", { type: "button", class: "link name", "aria-haspopup": "dialog", click: () => openRow(row) }, row.name),
    row.authors.length ? h("span", { class: "authors" }, shortList(row.authors)) : null,
    h("span", { class: "narrow-only" }, trustBadge(row), ...flagNotes(row)),
    linksOf(row),
  ];
}

function shortList(names) {
  return names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", ");
}

function linksOf(row) {
  const links = [
    externalLink(row.code, "code", `Code of ${row.name}`),
    externalLink(row.paper, "paper", `Paper on ${row.name}`),
    ...row.checkpoints.slice(0, 1).map((link) => externalLink(link, "checkpoint", `Checkpoint of ${row.name}`)),
    h("a", { href: encodeURI(row.run), "aria-label": `Run of ${row.name}` }, "run"),
  ];
  return h("span", { class: "links" }, links);
}

function iqmCell(row) {
  const [value] = row.aggregate.iqm;
  return [
    h("span", { class: "value" }, number(value)),
    h("span", { class: "interval" }, intervalText(row.aggregate.iqm)),
    bar(row.aggregate.iqm, 120, 9),
  ];
}

function estimateCell(estimate) {
  return [h("span", { class: "value" }, number(estimate[0])), h("span", { class: "interval" }, intervalText(estimate))];
}

function seedsCell(row) {
  return [`${row.seeds}`, h("span", { class: "interval" }, `\u00d7 ${row.episodes} ep.`)];
}

function trustCell(row) {
  return [trustBadge(row), ...flagNotes(row)];
}

function trustBadge(row) {
  const { mark, label, meaning } = TRUST[row.trust.level];
  return h(
    "span",
    { class: `badge trust-${row.trust.level}`, title: row.trust.evidence || meaning },
    h("span", { "aria-hidden": "true" }, mark),
    ` ${label}`,
  );
}

function flagNotes(row) {
  return row.flags.map((flag) => h("span", { class: "flag" }, h("span", { "aria-hidden": "true" }, "\u2691 "), flag));
}

function sortedRows() {
  const { key, descending } = state.sort;
  const value = COLUMNS.find(([name]) => name === key)[3];
  const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  return visibleRows().sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
}

function sortBy(key) {
  const [, , , , greatestFirst] = COLUMNS.find(([name]) => name === key);
  state.sort = { key, descending: state.sort.key === key ? !state.sort.descending : greatestFirst };
  renderRanking();
  document.querySelector(`#ranking-table th[data-key="${key}"] button`).focus();
}

function headerCell([key, heading, explanation]) {
  const sorted = state.sort.key === key;
  const direction = state.sort.descending ? "descending" : "ascending";
  const arrow = sorted ? (state.sort.descending ? "\u2193" : "\u2191") : "";
  return h(
    "th",
    { scope: "col", "data-key": key, class: `col-${key}`, "aria-sort": sorted ? direction : "none" },
    h(
      "button",
      { type: "button", title: explanation, click: () => sortBy(key) },
      heading,
      h("span", { class: "arrow", "aria-hidden": "true" }, arrow),
    ),
  );
}

function tickCell(row) {
  const ticked = state.charted.has(row.id);
  const box = h("input", {
    type: "checkbox",
    checked: ticked,
    disabled: !ticked && state.charted.size >= MAX_CHARTED,
    "data-row": row.id,
    "aria-label": `Show ${labelOf(row)} in the charts`,
    change: (event) => tick(row, event.target.checked),
  });
  return h("td", { class: "col-tick" }, h("label", {}, box, ticked ? swatch(row) : null));
}

function tick(row, wanted) {
  if (wanted) state.charted.add(row.id);
  else state.charted.delete(row.id);
  assignColours();
  renderRanking();
  renderCharts();
  [...document.querySelectorAll("#ranking-table input")].find((box) => box.dataset.row === row.id)?.focus();
}

function renderRanking() {
  const rows = sortedRows();
  const body = rows.map((row) =>
    h(
      "tr",
      { "data-row": row.id },
      tickCell(row),
      COLUMNS.map(([key, , , , , cell]) => h(key === "name" ? "th" : "td", { class: `col-${key}`, scope: key === "name" ? "row" : null }, cell(row))),
    ),
  );
  const head = h("tr", {}, h("th", { scope: "col", class: "col-tick" }, h("span", { class: "hidden" }, "In charts")), COLUMNS.map(headerCell));
  const table = h("table", { class: "ranking" }, h("caption", { class: "hidden" }, state.board.title), h("thead", {}, head), h("tbody", {}, body));
  const nothing = rows.length ? null : h("p", { class: "nothing" }, "No agent passes these filters.");
  fill("ranking-table", [table, nothing].filter(Boolean));
  const total = state.board.rows.length;
  byId("filter-count").textContent = rows.length === total ? count(total, "agent") : `${rows.length} of ${count(total, "agent")}`;
}

function setUpRanking() {
  const labels = ["any", "re-run or better", "by the maintainers"];
  byId("filter-trust").append(...labels.map((label, index) => h("option", { value: index }, label)));
  byId("filter-text").addEventListener("input", (event) => refilter({ text: event.target.value }));
  byId("filter-trust").addEventListener("change", (event) => refilter({ trust: Number(event.target.value) }));
  byId("filter-flags").addEventListener("change", (event) => refilter({ unflagged: event.target.checked }));
  byId("trust-legend").append(
    ...Object.values(TRUST).flatMap(({ mark, label, meaning }) => [
      h("dt", {}, h("span", { "aria-hidden": "true" }, mark), ` ${label}`),
      h("dd", {}, meaning),
    ]),
    h("dt", {}, h("span", { "aria-hidden": "true" }, "\u2691"), " flag"),
    h("dd", {}, "Other simulator versions than this release's, or changed code."),
  );
}

function refilter(choice) {
  Object.assign(state, choice);
  renderRanking();
  renderCharts();
  renderHeatmap();
}
