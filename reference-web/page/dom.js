// Renders a tree of plain objects into the document. Only what differs is changed. There is no way to pass
// markup, so that text of a contact can never become an element.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "rect", "g", "title"]);
const TREE = Symbol("tree");
const HANDLERS = Symbol("handlers");

/**
 * Describes an element. `props` has attributes, and `key`, `on` (handlers by event type), `set` (DOM
 * properties) and `made` (called with the new element).
 */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: flat(children) };
}

function flat(children) {
  const all = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return all.map((child) => (typeof child === "object" ? child : { text: String(child) }));
}

/** Changes the children of `host` to what `trees` describe. */
export function render(host, ...trees) {
  patchChildren(host, flat(trees));
}

function create(tree, inSvg) {
  if (tree.text !== undefined) {
    const node = document.createTextNode(tree.text);
    node[TREE] = tree;
    return node;
  }
  const isSvg = tree.tag === "svg" || (inSvg && SVG_TAGS.has(tree.tag));
  const node = isSvg ? document.createElementNS(SVG, tree.tag) : document.createElement(tree.tag);
  update(node, tree, { props: {}, children: [] });
  tree.props.made?.(node);
  return node;
}

function update(node, tree, old) {
  const { props } = tree;
  for (const name of Object.keys(old.props)) {
    if (!(name in props) && isAttribute(name)) node.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(props)) {
    if (isAttribute(name) && old.props[name] !== value) setAttribute(node, name, value);
  }
  setHandlers(node, props.on ?? {});
  patchChildren(node, tree.children);
  for (const [name, value] of Object.entries(props.set ?? {})) {
    if (node[name] !== value) node[name] = value;
  }
  node[TREE] = tree;
}

const isAttribute = (name) => !["key", "on", "set", "made"].includes(name);

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

function setHandlers(node, handlers) {
  const known = (node[HANDLERS] ??= {});
  for (const type of Object.keys(handlers)) {
    if (!(type in known)) node.addEventListener(type, (event) => node[HANDLERS][type]?.(event));
  }
  node[HANDLERS] = { ...Object.fromEntries(Object.keys(known).map((type) => [type, null])), ...handlers };
}

function fits(node, tree) {
  const old = node[TREE];
  if (!old) return false;
  if (tree.text !== undefined || old.text !== undefined) return tree.text !== undefined && old.text !== undefined;
  return old.tag === tree.tag && old.props.key === tree.props.key;
}

function patchChildren(node, children) {
  // The namespace must be that of the parent: a child of another namespace exists but is not painted.
  const inSvg = node.namespaceURI === SVG;
  const keyed = new Map();
  for (const child of node.childNodes) {
    const key = child[TREE]?.props?.key;
    if (key !== undefined) keyed.set(key, child);
  }
  // Children that are no longer there are removed first, so that the others need not be moved: an element
  // that is moved loses the focus.
  if (keyed.size > 0) {
    const wanted = new Set(children.map((tree) => tree.props?.key));
    for (const [key, child] of keyed) if (!wanted.has(key)) child.remove();
  }
  let at = node.firstChild;
  for (const tree of children) {
    const key = tree.props?.key;
    const found = key !== undefined ? keyed.get(key) : at;
    if (found && fits(found, tree)) {
      if (found === at) at = at.nextSibling;
      else node.insertBefore(found, at);
      // It is the same description object as before, so nothing in it can have changed.
      if (found[TREE] === tree) continue;
      if (tree.text === undefined) update(found, tree, found[TREE]);
      else if (found[TREE].text !== tree.text) found.data = tree.text;
      found[TREE] = tree;
    } else {
      node.insertBefore(create(tree, inSvg), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
