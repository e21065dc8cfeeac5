// What the page shows: its data, the address, and the reader's choices.

const DATA = JSON.parse(byId("page-data").textContent);
const MAX_CHARTED = 8; // as many as colours that can be told apart

const state = {
  board: null,
  text: "",
  trust: 0, // index of the least level
  unflagged: false,
  sort: { key: "rank", descending: false },
  charted: new Set(), // ids of rows
  threshold: 50,
  tasks: { text: "", domain: "", order: "catalogue" },
  pair: [0, 1], // indices of rows
};

// The address holds the board and what is open: #board=lite/100k/lite&task=walker-run. Plain anchors have no "=".
function readAddress() {
  const hash = decodeURI(location.hash.slice(1));
  return new URLSearchParams(hash.includes("=") ? hash : "");
}

function address(parameters) {
  const pairs = Object.entries({ board: state.board?.id, ...parameters }).filter(([, value]) => value);
  return "#" + pairs.map(([key, value]) => `${key}=${encodeURI(value)}`).join("&");
}

function chooseBoard(id) {
  const board = DATA.boards.find((candidate) => candidate.id === id) ?? DATA.boards[0];
  if (board === state.board) return false;
  state.board = board;
  state.sort = { key: "rank", descending: false };
  state.charted = new Set(board.rows.slice(0, 6).map((row) => row.id));
  state.tasks.domain = "";
  state.pair = [0, Math.min(1, board.rows.length - 1)];
  return true;
}

// Rows that pass the filters, in the order of the ranking.
function visibleRows() {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return state.board.rows.filter((row) => {
    const text = [row.name, row.id, row.notes, ...row.authors].join(" ").toLowerCase();
    return (
      words.every((word) => text.includes(word)) &&
      DATA.levels.indexOf(row.trust.level) >= state.trust &&
      !(state.unflagged && row.flags.length)
    );
  });
}

function chartedRows() {
  return visibleRows().filter((row) => state.charted.has(row.id));
}

// A row keeps its colour on its board, whatever else is ticked.
const colours = new Map();

function colourOf(row) {
  return colours.get(row.id);
}

function assignColours() {
  for (const id of colours.keys()) if (!state.charted.has(id)) colours.delete(id);
  for (const row of state.board.rows) {
    if (!state.charted.has(row.id) || colours.has(row.id)) continue;
    const taken = new Set(colours.values());
    colours.set(row.id, [...Array(MAX_CHARTED).keys()].find((index) => !taken.has(index)));
  }
}

// Two submissions may carry one name; then its id stands beside it.
function labelOf(row) {
  return state.board.rows.filter((other) => other.name === row.name).length > 1 ? `${row.name} (${row.id})` : row.name;
}

function taskMean(row, index) {
  return mean(row.scores[index]);
}

// [difference of IQM, probability of improvement] of rows i and j, whichever stands first.
function comparisonOf(i, j) {
  if (i < j) return state.board.pairs[`${i},${j}`];
  const flip = (of) => ([value, low, high]) => [of(value), high === null ? null : of(high), low === null ? null : of(low)];
  const [difference, improvement] = state.board.pairs[`${j},${i}`];
  return [flip((value) => -value)(difference), flip((value) => 1 - value)(improvement)];
}
