// Run in the page by `scenes.rs`: returns a list of what is wrong with it.
const faults = [];
const root = document.scrollingElement;
if (root.scrollWidth > innerWidth) faults.push(`the page is ${root.scrollWidth} pixels wide`);

const isShown = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && node.getClientRects().length > 0;
const nameOf = (node) => (node.getAttribute("aria-label") ?? node.closest("label")?.textContent ?? "") || node.textContent || node.placeholder || node.title;
for (const node of document.querySelectorAll("button, a, input, textarea, summary")) {
  if (isShown(node) && !nameOf(node)?.trim() && !node.closest("label")?.querySelector("[aria-label]")) faults.push(`no name: ${node.outerHTML.slice(0, 80)}`);
}

// Nothing may be cut off at the sides, but what says so by an ellipsis.
function isClipped(node) {
  for (let at = node.parentElement; at; at = at.parentElement) if (getComputedStyle(at).textOverflow === "ellipsis") return true;
  return false;
}
for (const node of document.querySelectorAll("#page *")) {
  if (!isShown(node) || node.closest("svg, .hidden, .skip, .actions") || isClipped(node)) continue;
  const box = node.getBoundingClientRect();
  if (box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)) faults.push(`reaches out: ${node.className || node.tagName} from ${Math.round(box.left)} to ${Math.round(box.right)}`);
}

const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
/** The colour over what is behind it, as red, green, blue. */
function over(color, behind) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b].map((value, index) => value * (a / 255) + behind[index] * (1 - a / 255));
}
function ground(node) {
  if (!node) return [255, 255, 255];
  return over(getComputedStyle(node).backgroundColor, ground(node.parentElement));
}
const light = (color) => {
  const [r, g, b] = color.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const walker = document.createTreeWalker(document.getElementById("page"), NodeFilter.SHOW_TEXT);
const inDialog = document.querySelector("dialog[open]");
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const node = text.parentElement;
  if (!text.data.trim() || !isShown(node) || node.closest("button:disabled, .skip") || (inDialog && !inDialog.contains(node))) continue;
  const behind = ground(node);
  const [a, b] = [light(over(getComputedStyle(node).color, behind)), light(behind)].sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${node.className || node.tagName} "${text.data.slice(0, 30)}"`);
}
return [...new Set(faults)].slice(0, 12);
