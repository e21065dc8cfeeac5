// What the charts share: drawing at the width that is there, a row's mark, bars with intervals.

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 3", "9 3 2 3"];

// Draws into a node, and again whenever its width changes.
function drawAtWidth(id, draw) {
  const node = byId(id);
  let drawn = 0;
  const redraw = () => {
    drawn = node.clientWidth;
    if (drawn) node.replaceChildren(draw(drawn));
  };
  new ResizeObserver(() => requestAnimationFrame(() => node.clientWidth !== drawn && redraw())).observe(node);
  return redraw;
}

// A short line in the row's colour and dashes.
function swatch(row) {
  const index = colourOf(row);
  return s(
    "svg",
    { class: `swatch series-${index}`, width: 22, height: 10, "aria-hidden": "true" },
    s("line", { x1: 1, x2: 21, y1: 5, y2: 5, "stroke-dasharray": DASHES[index] }),
  );
}

// A bar from 0 to the value, with whiskers for the interval.
function bar([value, low, high], width, height, series = null) {
  const x = (score) => 1 + score * (width - 2);
  const middle = height / 2;
  const parts = [
    s("rect", { class: "track", x: x(0), y: 0, width: width - 2, height, rx: 2 }),
    s("rect", { class: "bar", x: x(0), y: 0, width: Math.max(0, x(value) - x(0)), height, rx: 2 }),
  ];
  if (low !== null) {
    parts.push(
      s("path", { class: "whisker-back", d: `M${x(low)} ${middle}H${x(high)}` }),
      s("path", {
        class: "whisker",
        d: `M${x(low)} ${middle - 3}V${middle + 3}M${x(low)} ${middle}H${x(high)}M${x(high)} ${middle - 3}V${middle + 3}`,
      }),
    );
  }
  const name = series === null ? "bars" : `bars series-${series}`;
  return s("svg", { class: name, width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, parts);
}

// Lines and labels of a square from 0 to 1.
function axes(x, y, horizontal, vertical) {
  const parts = [];
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(
      s("line", { class: "rule", x1: x(tick), x2: x(tick), y1: y(0), y2: y(1) }),
      s("line", { class: "rule", x1: x(0), x2: x(1), y1: y(tick), y2: y(tick) }),
      s("text", { x: x(tick), y: y(0) + 16, "text-anchor": "middle" }, String(tick)),
      s("text", { x: x(0) - 7, y: y(tick) + 4, "text-anchor": "end" }, String(tick)),
    );
  }
  parts.push(
    s("text", { class: "axis", x: x(0.5), y: y(0) + 34, "text-anchor": "middle" }, horizontal),
    s("text", { class: "axis", transform: `translate(${x(0) - 36} ${y(0.5)}) rotate(-90)`, "text-anchor": "middle" }, vertical),
  );
  return parts;
}
