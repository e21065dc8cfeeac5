// Puts the page together, and keeps it in step with the address.

function renderBoards() {
  const tracks = DATA.tracks.map((track) => ({ ...track, boards: DATA.boards.filter((board) => board.track === track.name) }));
  const link = (board, label, current) => h("a", { href: address({ board: board.id }), "aria-current": current ? "page" : null }, label);
  const current = tracks.find((track) => track.name === state.board.track);
  const first = tracks.map((track) =>
    h("li", {}, track.boards.length ? link(track.boards[0], track.title, track === current) : h("span", { class: "empty", title: "no rows yet" }, track.title)),
  );
  const label = (board) => [board.budget, board.task_set].filter(Boolean).join(" \u00b7 ");
  const second = current.boards.map((board) => h("li", {}, link(board, label(board), board === state.board)));
  fill("boards", h("ul", { class: "tracks" }, first), h("ul", { class: "budgets" }, second));
  byId("board-title").textContent = state.board.title;
  byId("board-summary").textContent = current.summary + (state.board.budget ? ` Budget: ${state.board.budget} ${current.budget_unit}.` : "");
  fill("board-rules", current.rules.map((rule) => h("li", {}, rule)));
}

function renderCharts() {
  renderDomains();
  renderProfiles();
}

function renderBoard() {
  assignColours();
  renderBoards();
  renderRanking();
  renderCharts();
  renderTaskDomains();
  renderHeatmap();
  renderComparison();
}

function followAddress() {
  const wanted = readAddress();
  if (chooseBoard(wanted.get("board") ?? state.board?.id)) renderBoard();
  const row = state.board.rows.find((candidate) => candidate.id === wanted.get("row"));
  if (state.board.tasks.includes(wanted.get("task"))) showTask(wanted.get("task"));
  else if (row) showRow(row);
  else if (byId("details").open) byId("details").close();
}

function start() {
  byId("main").hidden = false;
  if (!DATA.boards.length) return fill("main", h("p", { class: "nothing" }, "There are no submissions yet."));
  for (const setUp of [setUpRanking, setUpProfiles, setUpHeatmap, setUpComparison, setUpDialog]) setUp();
  window.addEventListener("hashchange", followAddress);
  followAddress();
}

start();
