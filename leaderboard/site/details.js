// The dialog: a task with every agent's score, or an agent with all that is known about its row.

function openTask(name) {
  tip.hide();
  location.hash = address({ task: name });
}

function openRow(row) {
  location.hash = address({ row: row.id });
}

function showDialog(title, ...content) {
  const dialog = byId("details");
  byId("details-title").textContent = title;
  fill("details-body", ...content);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function setUpDialog() {
  const dialog = byId("details");
  byId("details-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // outside of it
  dialog.addEventListener("close", () => history.replaceState(null, "", address({})));
}

function definitions(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== "" && value?.length !== 0);
  return h("dl", { class: "facts" }, shown.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
}

function showTask(name) {
  const task = DATA.tasks[name];
  const index = state.board.tasks.indexOf(name);
  const rows = [...state.board.rows].sort((a, b) => taskMean(b, index) - taskMean(a, index));
  showDialog(
    name,
    taskSteps(name),
    h(
      "div",
      { class: "task" },
      picture(name, task),
      h(
        "div",
        {},
        h("p", { class: "instruction" }, task.instruction),
        definitions([
          ["Body", task.embodiment],
          ["Domain", DATA.domains[task.domain]],
          ["Episode", `${task.steps} agent steps`],
          ["Score", task.score],
          ["Random policy", task.random === null ? null : number(task.random)],
          ["Gymnasium id", h("code", {}, task.id)],
        ]),
      ),
    ),
    taskTable(rows, index),
  );
}

// To the next task and back, in the order of the heat map.
function taskSteps(name) {
  const names = orderedTasks().map((entry) => entry.name);
  const at = names.indexOf(name);
  const step = (offset, label) => {
    const target = at < 0 ? undefined : names[at + offset];
    const go = () => {
      history.replaceState(null, "", address({ task: target }));
      showTask(target);
      const again = [...document.querySelectorAll("#details .steps button")].find((button) => button.dataset.label === label);
      (again.disabled ? byId("details-close") : again).focus();
    };
    return h("button", { type: "button", disabled: !target, "data-label": label, click: go }, label);
  };
  return h("div", { class: "steps" }, step(-1, "Previous task"), step(1, "Next task"));
}

function picture(name, task) {
  if (!task.pictures.length) return null;
  const source = (suffix) => `pictures/${encodeURIComponent(name)}.${suffix}`;
  const image = (suffix) => h("img", { src: source(suffix), alt: `${name}: ${task.instruction}`, width: 224, height: 224 });
  const still = ["png", "webp"].find((suffix) => task.pictures.includes(suffix));
  const moving = task.pictures.includes("gif");
  if (!moving) return h("figure", {}, image(still));
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) return h("figure", {}, image("gif"));
  const play = h("button", { type: "button", click: () => figure.replaceChildren(image("gif")) }, "Play animation");
  const figure = h("figure", {}, still ? image(still) : null, play);
  return figure;
}

function taskTable(rows, index) {
  const body = rows.map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, labelOf(row)),
      h("td", { class: "value" }, number(taskMean(row, index))),
      h("td", {}, seedStrip(row.scores[index])),
      h("td", { class: "interval" }, row.scores[index].map((score) => score.toFixed(2)).join("  ")),
    ),
  );
  const head = ["Agent", "Score", "", "Each seed"].map((heading) => h(heading ? "th" : "td", { scope: heading ? "col" : null }, heading));
  return h("table", { class: "small" }, h("caption", {}, "Mean score of each agent"), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

// A dot per seed, a line at their mean.
function seedStrip(scores) {
  const x = (score) => 6 + score * 148;
  const average = x(mean(scores));
  return s(
    "svg",
    { class: "strip", width: 160, height: 14, viewBox: "0 0 160 14", "aria-hidden": "true" },
    s("line", { class: "rule", x1: x(0), x2: x(1), y1: 7, y2: 7 }),
    scores.map((score) => s("circle", { cx: x(score).toFixed(1), cy: 7, r: 3.5 })),
    s("line", { class: "average", x1: average, x2: average, y1: 1, y2: 13 }),
  );
}

function showRow(row) {
  const { training } = row;
  const amount = (value) => (value === null ? "not known" : value.toLocaleString("en"));
  const listed = (items) => items.map((item) => h("span", { class: "item" }, item));
  showDialog(
    row.name,
    h("p", {}, trustBadge(row), row.trust.date ? ` (${row.trust.date}): ` : ": ", row.trust.evidence || TRUST[row.trust.level].meaning),
    row.flags.length ? h("p", {}, flagNotes(row)) : null,
    definitions([
      ["Rank", `${row.tied ? "shared " : ""}${row.rank} on ${state.board.title}`],
      ["IQM", estimateText(row.aggregate.iqm)],
      ["Mean", estimateText(row.aggregate.mean)],
      ["Domain mean", estimateText(row.aggregate.domain_mean)],
      ["P(> next)", row.improvement ? estimateText(row.improvement) : null],
      ["Evaluation", `${count(row.seeds, "seed")}, ${count(row.episodes, "episode")} per task and seed`],
      ["Authors", row.authors.join(", ")],
      ["Notes", row.notes],
      ["Steps trained", amount(training.environment_steps)],
      ["Demonstrations", `${amount(training.demonstrations)} per task`],
      ["Actions per look", amount(training.actions_per_look)],
      ["Parameters", amount(training.parameters)],
      ["Submitted", row.submitted],
      ["Versions", listed(row.versions)],
      ["Renderers", listed(row.renderers)],
      ["Links", linksOf(row)],
      ["Checkpoints", row.checkpoints.map((link) => h("span", { class: "item" }, externalLink(link, link, link)))],
      ["Reproduce", h("code", {}, `newt-bench reproduce ${row.id}`)],
    ]),
  );
}
