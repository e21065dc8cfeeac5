// Two agents of a board against each other.

const SHOWN = 12; // tasks on the screen, before the reader asks for all

let drawScatter;

function setUpComparison() {
  ["a", "b"].forEach((side, index) =>
    byId(`compare-${side}`).addEventListener("change", (event) => {
      state.pair[index] = Number(event.target.value);
      renderComparison();
    }),
  );
  byId("compare-swap").addEventListener("click", () => {
    state.pair.reverse();
    renderComparison();
  });
}

function renderComparison() {
  const rows = state.board.rows;
  const alone = rows.length < 2;
  byId("comparison").querySelector(".controls").hidden = alone;
  if (alone) return fill("comparison-body", h("p", { class: "nothing" }, "A comparison needs two agents; this board has one."));
  const [i, j] = state.pair;
  [i, j].forEach((chosen, index) => {
    const select = byId(`compare-${"ab"[index]}`);
    select.replaceChildren(...rows.map((row, at) => h("option", { value: at }, labelOf(row))));
    select.value = chosen;
  });
  if (i === j) return fill("comparison-body", h("p", { class: "nothing" }, "Choose two different agents."));
  const [a, b] = [rows[i], rows[j]];
  const differences = state.board.tasks
    .map((name, index) => ({ name, a: taskMean(a, index), b: taskMean(b, index) }))
    .map((entry) => ({ ...entry, difference: entry.a - entry.b }));
  fill("comparison-body", [
    h(
      "div",
      { class: "versus" },
      h("div", {}, verdict(a, b, comparisonOf(i, j), differences), h("div", { class: "chart", id: "scatter" })),
      differenceTable(a, b, differences),
    ),
  ]);
  drawScatter = drawAtWidth("scatter", (width) => scatter(width, a, b, differences));
  drawScatter();
}

function verdict(a, b, [difference, improvement], differences) {
  const [, low, high] = difference;
  const [first, second] = [labelOf(a), labelOf(b)];
  const apart = low !== null && (low > 0 || high < 0);
  const [better, worse] = difference[0] > 0 ? [first, second] : [second, first];
  const sentence = apart
    ? `${better} has the higher interquartile mean.`
    : `A tie: the interquartile means of ${first} and ${second} cannot be told apart.`;
  const won = (sign) => differences.filter((entry) => Math.sign(entry.difference) === sign).length;
  return h(
    "div",
    { class: "verdict" },
    h("p", { class: "sentence", role: "status" }, sentence),
    h(
      "dl",
      {},
      h("dt", {}, "IQM, A \u2212 B"),
      h("dd", {}, signed(difference[0]), " ", h("span", { class: "interval" }, intervalText(difference, signed))),
      h("dt", {}, "P(A > B)"),
      h("dd", {}, number(improvement[0]), " ", h("span", { class: "interval" }, intervalText(improvement))),
      h("dt", {}, "Tasks"),
      h("dd", {}, `A higher on ${won(1)}, B on ${won(-1)}, equal on ${won(0)}`),
    ),
    h("p", { class: "note" }, "P(A > B): how probable it is that a run of A scores higher than one of B, on a task drawn at random; equal scores count half."),
  );
}

function scatter(width, a, b, differences) {
  const size = Math.min(width, 480);
  const x = (score) => 50 + score * (size - 62);
  const y = (score) => size - 46 - score * (size - 58);
  const parts = axes(x, y, `A: ${labelOf(a)}`, `B: ${labelOf(b)}`);
  parts.push(s("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  for (const entry of differences) {
    const side = entry.difference > 0 ? "side-a" : entry.difference < 0 ? "side-b" : "side-none";
    const dot = s("circle", { class: `dot ${side}`, cx: x(entry.a).toFixed(1), cy: y(entry.b).toFixed(1), r: 4.5 });
    dot.addEventListener("pointermove", (event) =>
      tip.show(`${entry.name}\nA ${number(entry.a)}, B ${number(entry.b)}`, event.clientX, event.clientY),
    );
    dot.addEventListener("pointerleave", tip.hide);
    dot.addEventListener("click", () => openTask(entry.name));
    parts.push(dot);
  }
  return s(
    "svg",
    { width: size, height: size, viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": `Score of ${labelOf(b)} against that of ${labelOf(a)}, one dot per task; the table below holds the values` },
    parts,
  );
}

function differenceTable(a, b, differences) {
  const sorted = [...differences].sort((p, q) => Math.abs(q.difference) - Math.abs(p.difference));
  const body = sorted.map((entry, place) =>
    h(
      "tr",
      { class: place < SHOWN ? null : "later" },
      h("th", { scope: "row" }, h("button", { type: "button", class: "link", "aria-haspopup": "dialog", click: () => openTask(entry.name) }, entry.name)),
      h("td", {}, number(entry.a)),
      h("td", {}, number(entry.b)),
      h("td", {}, signed(entry.difference)),
      h("td", { class: "diverging" }, divergingBar(entry.difference, Math.abs(sorted[0].difference))),
    ),
  );
  const headings = ["Task", "A", "B", "A \u2212 B"].map((heading) => h("th", { scope: "col" }, heading));
  const head = h("tr", {}, headings, h("td", { class: "diverging" }));
  const table = h("table", { class: "small" }, h("caption", {}, "Tasks, largest difference first"), h("thead", {}, head), h("tbody", {}, body));
  if (sorted.length <= SHOWN) return h("div", { class: "differences" }, table);
  const showAll = () => {
    wrapper.classList.remove("short");
    more.remove();
  };
  const more = h("button", { type: "button", click: showAll }, `All ${count(sorted.length, "task")}`);
  const wrapper = h("div", { class: "differences short" }, table, more);
  return wrapper;
}

// To the right where A is higher; the largest difference fills its half.
function divergingBar(difference, largest) {
  const width = 160;
  const middle = width / 2;
  const length = largest ? (Math.abs(difference) / largest) * middle : 0;
  return s(
    "svg",
    { width, height: 11, viewBox: `0 0 ${width} 11`, "aria-hidden": "true" },
    s("rect", { class: difference > 0 ? "side-a" : "side-b", x: difference > 0 ? middle : middle - length, y: 0, width: length, height: 11, rx: 2 }),
    s("line", { class: "zero", x1: middle, x2: middle, y1: 0, y2: 11 }),
  );
}
