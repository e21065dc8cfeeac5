// Every task by every agent: a grid with one tab stop, in blocks that the browser draws only where they are seen.

const BLOCK = 25; // tasks, where they are not grouped by domain
const CELL = { least: 34, most: 76 }; // pixels
const DEEP = 0.595; // from this score on, the other colour of text has the better contrast

const heat = { grid: null, focus: [0, 0], rows: [] };

function orderedTasks() {
  const { text, domain, order } = state.tasks;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = visibleRows();
  const found = state.board.tasks
    .map((name, index) => {
      const scores = rows.map((row) => taskMean(row, index));
      return { name, index, scores, task: DATA.tasks[name] };
    })
    .filter(({ name, task }) => {
      const searched = `${name} ${task.instruction}`.toLowerCase();
      return (!domain || task.domain === domain) && words.every((word) => searched.includes(word));
    });
  const spread = ({ scores }) => Math.max(...scores) - Math.min(...scores);
  if (rows.length && order === "hard") found.sort((a, b) => mean(a.scores) - mean(b.scores));
  if (rows.length && order === "spread") found.sort((a, b) => spread(b) - spread(a));
  return found;
}

function blocksOf(tasks) {
  const blocks = new Map();
  tasks.forEach((entry, position) => {
    const key = state.tasks.order === "catalogue" ? DATA.domains[entry.task.domain] : `${Math.floor(position / BLOCK)}`;
    blocks.set(key, [...(blocks.get(key) ?? []), entry]);
  });
  return [...blocks];
}

function renderHeatmap() {
  const agents = visibleRows();
  const tasks = orderedTasks();
  heat.rows = [];
  heat.focus = [0, 0];
  const total = state.board.tasks.length;
  byId("task-count").textContent = tasks.length === total ? count(total, "task") : `${tasks.length} of ${count(total, "task")}`;
  if (!agents.length || !tasks.length) {
    heat.grid = null;
    fill("heat-grid", h("p", { class: "nothing" }, agents.length ? "No task passes these filters." : "No agent passes the filters of the ranking."));
    return;
  }
  const head = h(
    "div",
    { role: "row", class: "heat-row heat-head" },
    h("div", { role: "columnheader", class: "corner" }, "Task"),
    agents.map((row) => h("div", { role: "columnheader", title: labelOf(row) }, h("span", {}, labelOf(row)))),
  );
  const named = state.tasks.order === "catalogue";
  const blocks = blocksOf(tasks).map(([title, entries]) => {
    const group = h(
      "div",
      { role: "rowgroup", class: "heat-block", "aria-label": named ? title : null },
      named ? h("div", { class: "heat-title", "aria-hidden": "true" }, h("span", {}, title)) : null,
      entries.map((entry) => heatRow(entry, agents)),
    );
    group.style.setProperty("--rows", entries.length + (named ? 1.3 : 0));
    return group;
  });
  heat.grid = h(
    "div",
    {
      role: "grid",
      class: "heat",
      "aria-labelledby": "heatmap-title",
      "aria-describedby": "heatmap-help",
      "aria-rowcount": tasks.length + 1,
      "aria-colcount": agents.length + 1,
      "aria-readonly": "true",
    },
    h("div", { role: "rowgroup", class: "heat-top" }, head),
    blocks,
  );
  heat.grid.style.setProperty("--agents", agents.length);
  listenToGrid(heat.grid, agents);
  fill("heat-grid", heat.grid);
  sizeCells();
  heat.rows[0].children[0].tabIndex = 0;
}

function heatRow({ name, scores, task }, agents) {
  const cells = scores.map((score) => {
    const cell = h("div", { role: "gridcell", class: score >= DEEP ? "deep" : null }, score.toFixed(2).replace(/^0/, ""));
    cell.style.setProperty("--score", score);
    return cell;
  });
  const row = h("div", { role: "row", class: "heat-row" }, h("div", { role: "rowheader", title: task.instruction }, name), cells);
  heat.rows.push(row);
  Object.assign(row, { entry: { name, scores }, agents });
  return row;
}

// The cells share the width that is there.
function sizeCells() {
  if (!heat.grid) return;
  const width = byId("heat-grid").clientWidth;
  const label = width < 560 ? 138 : 190;
  const room = (width - label - 16) / state.board.rows.length;
  heat.grid.style.setProperty("--label", `${label}px`);
  heat.grid.style.setProperty("--cell", `${Math.floor(Math.min(CELL.most, Math.max(CELL.least, room)))}px`);
}

function listenToGrid(grid, agents) {
  const place = (target) => {
    const cell = target.closest("[role=gridcell], [role=rowheader]");
    const row = cell?.closest(".heat-row");
    return row?.entry ? [heat.rows.indexOf(row), [...row.children].indexOf(cell)] : null;
  };
  const describe = ([r, c]) => {
    const { name, scores } = heat.rows[r].entry;
    return c ? `${name}\n${labelOf(agents[c - 1])}: ${number(scores[c - 1])}` : `${name}\n${DATA.tasks[name].instruction}`;
  };
  grid.addEventListener("pointermove", (event) => {
    const at = place(event.target);
    if (at && event.pointerType === "mouse") tip.show(describe(at), event.clientX, event.clientY);
    else tip.hide();
  });
  grid.addEventListener("pointerleave", tip.hide);
  grid.addEventListener("focusout", tip.hide);
  grid.addEventListener("click", (event) => {
    const at = place(event.target);
    if (!at) return;
    focusCell(at);
    openTask(heat.rows[at[0]].entry.name);
  });
  grid.addEventListener("keydown", (event) => {
    const [r, c] = heat.focus;
    const far = [heat.rows.length - 1, agents.length];
    const moves = {
      ArrowUp: [r - 1, c],
      ArrowDown: [r + 1, c],
      ArrowLeft: [r, c - 1],
      ArrowRight: [r, c + 1],
      PageUp: [r - 10, c],
      PageDown: [r + 10, c],
      Home: [event.ctrlKey ? 0 : r, 0],
      End: [event.ctrlKey ? far[0] : r, far[1]],
    };
    if (event.key === "Enter" || event.key === " ") openTask(heat.rows[r].entry.name);
    else if (event.key in moves) {
      const inside = (value, most) => Math.max(0, Math.min(most, value));
      const [row, column] = moves[event.key];
      const at = [inside(row, far[0]), inside(column, far[1])];
      const box = focusCell(at).getBoundingClientRect();
      tip.show(describe(at), box.left, box.bottom - 12);
    } else return;
    event.preventDefault();
  });
}

function focusCell([r, c]) {
  heat.rows[heat.focus[0]].children[heat.focus[1]].removeAttribute("tabindex");
  heat.focus = [r, c];
  const cell = heat.rows[r].children[c];
  cell.tabIndex = 0;
  cell.focus();
  return cell;
}

function setUpHeatmap() {
  const refilterTasks = (choice) => {
    Object.assign(state.tasks, choice);
    renderHeatmap();
  };
  byId("task-text").addEventListener("input", (event) => refilterTasks({ text: event.target.value }));
  byId("task-domain").addEventListener("change", (event) => refilterTasks({ domain: event.target.value }));
  byId("task-order").addEventListener("change", (event) => refilterTasks({ order: event.target.value }));
  new ResizeObserver(() => requestAnimationFrame(sizeCells)).observe(byId("heat-grid"));
  const steps = [...Array(21).keys()].map((step) => {
    const cell = h("span", {});
    cell.style.setProperty("--score", step / 20);
    return cell;
  });
  fill("heat-scale", "0", steps, "1");
}

function renderTaskDomains() {
  const domains = [...new Set(state.board.tasks.map((name) => DATA.tasks[name].domain))];
  const options = domains.map((domain) => h("option", { value: domain }, DATA.domains[domain]));
  fill("task-domain", h("option", { value: "" }, "all"), options);
  byId("task-domain").value = state.tasks.domain;
}
