// One panel of bars per domain.

function renderDomains() {
  const rows = chartedRows();
  const domains = [...new Set(state.board.tasks.map((name) => DATA.tasks[name].domain))];
  fill("domain-panels", rows.length ? domains.map((domain) => domainPanel(domain, rows)) : nothingTicked());
}

function nothingTicked() {
  return h("p", { class: "nothing" }, "Tick an agent in the ranking to see it here.");
}

// Names and values are text beside the bars, so that a panel reads as a list without them.
function domainPanel(domain, rows) {
  const size = state.board.tasks.filter((name) => DATA.tasks[name].domain === domain).length;
  const items = rows.map((row) => {
    const estimate = row.domains[domain];
    return h(
      "li",
      { title: `${labelOf(row)}: ${estimateText(estimate)}` },
      h("span", { class: "who" }, labelOf(row)),
      bar(estimate, 200, 11, colourOf(row)),
      h("span", { class: "value" }, estimate[0].toFixed(2), h("span", { class: "hidden" }, ` ${intervalText(estimate)}`)),
    );
  });
  return h(
    "section",
    { class: "panel", "aria-label": DATA.domains[domain] },
    h("h4", {}, DATA.domains[domain], " ", h("small", {}, count(size, "task"))),
    h("ol", {}, items),
  );
}
