// The search box, and what scrolls sideways by the keyboard. Without this script the site can be read as well.
"use strict";

(() => {
  const up = document.body.dataset.up;
  const box = document.querySelector(".search");
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const FOUND_MAX = 12;
  let chosen = -1;
  let index = null;

  /** Loads the index once: a script, since a page that is opened as a file may not fetch one. */
  function load() {
    index ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${up}search-index.js`;
      script.onload = () => resolve(self.handfastIndex);
      script.onerror = () => reject(new Error("the index of the search cannot be loaded"));
      document.head.append(script);
    });
    return index;
  }

  /** The entries that have all words, those first whose name begins with the text. */
  function find(entries, text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return [];
    const hits = entries.filter(([, name, more]) => {
      const all = `${name} ${more}`.toLowerCase();
      return words.every((word) => all.includes(word));
    });
    const rank = ([, name]) => {
      const lower = name.toLowerCase();
      if (lower.startsWith(words[0])) return 0;
      if (words.every((word) => lower.includes(word))) return 1;
      return /^[A-Z]{3}-\d{3}$/.test(name) ? 2 : 3;
    };
    return hits.sort((a, b) => rank(a) - rank(b)).slice(0, FOUND_MAX);
  }

  function show(hits) {
    chosen = -1;
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...hits.map(([address, name, more], at) => {
        const item = document.createElement("li");
        const [strong, soft] = [document.createElement("b"), document.createElement("span")];
        strong.textContent = name;
        soft.textContent = more;
        item.append(strong, soft);
        item.id = `found-${at}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        item.dataset.address = address;
        return item;
      }),
    );
    list.hidden = hits.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  function choose(at) {
    const items = [...list.children];
    if (items.length === 0) return;
    chosen = (at + items.length) % items.length;
    items.forEach((item, one) => item.setAttribute("aria-selected", String(one === chosen)));
    items[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[chosen].id);
  }

  function go(item) {
    if (!item) return;
    show([]);
    input.value = "";
    location.href = up + item.dataset.address;
  }

  async function search() {
    const text = input.value;
    const entries = await load();
    // Somebody may have typed on while the index came.
    if (text === input.value) show(find(entries, text));
  }

  box.hidden = false;
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") go(list.children[Math.max(chosen, 0)]);
    else if (event.key === "Escape") show([]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    go(event.target.closest("li"));
  });
  input.addEventListener("blur", () => show([]));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
    }
  });

  // The page that is shown is in sight in the list of pages.
  const side = document.getElementById("side");
  const current = side?.querySelector("[aria-current]");
  if (current) side.scrollTop = current.offsetTop - side.clientHeight / 3;

  /** What is wider than its place takes the focus, so that arrow keys move it. */
  function mindScrolling() {
    for (const part of document.querySelectorAll(".scroll, pre")) {
      if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  }
  mindScrolling();
  addEventListener("resize", mindScrolling);
})();
