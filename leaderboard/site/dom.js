// Makes elements. Text only ever enters the page as text: nothing here, or elsewhere, parses markup.

const SVG = "http://www.w3.org/2000/svg";

// Sets attributes; functions become listeners of events, null and false leave an attribute out.
function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
}

function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function s(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  setAttributes(node, attributes);
  node.append(...children.flat(Infinity));
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

function fill(id, ...children) {
  byId(id).replaceChildren(...children.flat(Infinity));
}

// A link that leaves the page. Addresses of strangers are followed over https only, and learn nothing of the reader.
function externalLink(address, label, name) {
  if (!address || !address.startsWith("https://")) return null;
  return h("a", { href: address, rel: "noopener noreferrer nofollow", "aria-label": name }, label);
}

function number(value) {
  return value.toFixed(3);
}

function signed(value) {
  return (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(3);
}

function intervalText([, low, high], format = number) {
  return low === null ? "no interval: 1 seed" : `[${format(low)}, ${format(high)}]`;
}

function estimateText(estimate, format = number) {
  return `${format(estimate[0])} ${intervalText(estimate, format)}`;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

// The one tooltip: it repeats what is there for keyboard and screen readers in another form.
const tip = {
  show(text, x, y) {
    const node = byId("tip");
    node.textContent = text;
    node.hidden = false;
    const box = node.getBoundingClientRect();
    const left = Math.max(4, Math.min(x + 12, document.documentElement.clientWidth - box.width - 4));
    const top = y + 18 + box.height > window.innerHeight ? y - box.height - 10 : y + 18;
    node.style.left = `${left}px`;
    node.style.top = `${top}px`;
  },
  hide() {
    byId("tip").hidden = true;
  },
};
