// The bytes of the worked example: each is a button, and what it is is computed by the module on each click.
"use strict";

(() => {
  const cases = JSON.parse(document.getElementById("cases").textContent);
  const blocks = new WeakMap();
  const outcomes = new Map();
  let engine = null;
  let selected = null;

  /** The module, unpacked and started at the first use. */
  function load() {
    engine ??= (async () => {
      if (!self.handfastModule) throw new Error("this copy of the site was made without its module (cargo xtask site)");
      const packed = Uint8Array.from(atob(self.handfastModule), (letter) => letter.charCodeAt(0));
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      await wasm_bindgen({ module_or_path: await new Response(stream).arrayBuffer() });
      return wasm_bindgen;
    })();
    return engine;
  }

  /** The result of a case's operation. */
  function outcome(module, id) {
    if (!outcomes.has(id)) outcomes.set(id, JSON.parse(module.run(cases[id].op, JSON.stringify(cases[id].in))));
    return outcomes.get(id);
  }

  // ---- Buttons

  /** Makes a block of cells: all rows of a table of bytes, or one value. */
  function prepare(cells, about) {
    const block = { ...about, bytes: [], original: [], buttons: [] };
    for (const cell of cells) {
      const parts = cell.classList.contains("hex") ? cell.textContent.match(/../g) : [...cell.textContent];
      const buttons = parts.map((text) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "byte";
        button.tabIndex = -1;
        button.textContent = text;
        blocks.set(button, { block, index: block.bytes.length });
        block.bytes.push(text);
        block.buttons.push(button);
        return button;
      });
      cell.replaceChildren(...buttons);
    }
    block.original = [...block.bytes];
    if (block.buttons.length > 0) block.buttons[0].tabIndex = 0;
  }

  function prepareTable(table) {
    if (table.classList.contains("bytes")) {
      const { layout, from } = table.dataset;
      prepare(table.querySelectorAll(".hex"), { kind: "layout", layout, from });
      return;
    }
    for (const row of table.rows) {
      const cell = row.cells[1];
      const { case: id, key, parts } = row.dataset;
      const about = { kind: "value", name: row.cells[0].textContent, id, key, parts: JSON.parse(parts ?? "[]") };
      prepare([cell], { ...about, isHex: cell.classList.contains("hex") });
    }
  }

  // ---- What a byte is

  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

  /** The field of a byte, by the grammar: [name, first, length, value]. */
  function fieldAt(fields, at) {
    const around = fields.filter(([, first, len]) => first <= at && at < first + len);
    around.sort((a, b) => a[2] - b[2] || b[0].length - a[0].length);
    const inner = around[0];
    const within = inner ? fields.filter(([path]) => path.startsWith(`${inner[0]}.`)) : fields;
    const next = within.filter(([, first]) => first > at).sort((a, b) => a[1] - b[1] || b[2] - a[2])[0];
    if (inner && (inner[3] !== null || !within.some(([, first, len]) => first >= inner[1] && first + len <= inner[1] + inner[2]))) {
      return inner;
    }
    if (next && (!inner || next[1] < inner[1] + inner[2])) {
      const before = fields.map(([, first, len]) => (first + len <= at ? first + len : first <= at ? first : 0));
      const start = Math.max(0, ...before.filter((end) => end <= at));
      const own = inner && start === inner[1];
      const name = own ? `${inner[0]}: type and length, up to ${next[0].split(".").at(-1)}` : `${next[0]}: type and length`;
      return [name, start, next[1] - start, undefined];
    }
    if (inner) return inner;
    const end = Math.max(0, ...fields.map(([, first, len]) => first + len));
    return ["padding", end, Infinity, undefined];
  }

  const printable = (hex) => {
    const bytes = hex.match(/../g)?.map((byte) => parseInt(byte, 16)) ?? [];
    return bytes.length > 3 && bytes.every((byte) => byte > 31 && byte < 127) ? String.fromCharCode(...bytes) : null;
  };

  function shown(value) {
    if (value === null || value === undefined) return null;
    return typeof value === "string" ? value : JSON.stringify(value);
  }

  function ofLayout(module, block, at) {
    const read = JSON.parse(module.read(block.layout, block.from ?? "", block.bytes.join("")));
    const [path, first, len, value] = fieldAt(read.fields, at);
    const end = Math.min(first + len, block.bytes.length);
    const text = printable(block.bytes.slice(first, end).join(""));
    const rows = [
      ["Field", path],
      ["Bytes", end - first > 1 ? `${first} to ${end - 1}, ${count(end - first, "byte")}` : `${first}`],
    ];
    if (shown(value) !== null) rows.push(["Value", shown(value), "value"]);
    if (text && text !== value) rows.push(["As text", text, "value"]);
    rows.push(
      read.refused
        ? ["Module", `refuses these bytes: ${read.refused}, found at byte ${read.at}`, "bad"]
        : ["Module", `reads ${count(read.fields.length, "field")} and accepts`, "good"],
    );
    return { first, end, rows, of: `${block.layout}${block.from ? ` from the ${block.from}` : ""}` };
  }

  /** The part of a value that a byte belongs to. */
  function partAt(block, at) {
    const fixed = block.parts.reduce((sum, [len]) => sum + len, 0);
    let first = 0;
    for (const [len, what] of block.parts) {
      const end = first + (len || block.bytes.length - fixed);
      if (at < end) return [first, end, what];
      first = end;
    }
    return [0, block.bytes.length, null];
  }

  /** Opens a sealed record under the record keys of its case. */
  function opened(module, block) {
    const { debug } = outcome(module, block.id);
    const record = block.bytes.slice(2).join("");
    let refused = null;
    for (const name of ["k_p2w", "k_w2p"]) {
      for (const n of [0, 1]) {
        const open = JSON.parse(module.run("record.open", JSON.stringify({ k: debug[name], n, record })));
        refused = open.refused ?? refused;
        if (!open.out) continue;
        const layout = block.id.startsWith("pairing") ? "LinkRecord" : "Record";
        const { fields } = JSON.parse(module.read(layout, "", open.out.plaintext));
        const frames = fields.filter(([path, , , value]) => value === null && !path.includes(".")).map(([path]) => path);
        return [["Opens", `under ${name}, n = ${n}: ${frames.join(", ") || "no frame"}, ${count(open.out.plaintext.length / 2, "byte")} with padding`, "good"]];
      }
    }
    return [["Opens", `no: the module refuses it with ${refused}`, "bad"]];
  }

  function decoded(module, text) {
    const read = JSON.parse(module.run("qr.decode", JSON.stringify({ text })));
    if (read.refused) return [["Module", `refuses the code: ${read.refused}`, "bad"]];
    return Object.entries(read.out).map(([name, value]) => [name, shown(value), "value"]);
  }

  function ofValue(module, block, at) {
    const [first, end, what] = partAt(block, at);
    const text = block.bytes.join("");
    const rows = [["Value of", block.name]];
    if (what) rows.push(["Part", what]);
    const unit = block.isHex ? "byte" : "letter";
    rows.push(["Place", `${unit} ${at} of ${block.bytes.length}${what ? `; the part is ${first} to ${end - 1}` : ""}`]);
    const [origin, ...way] = (block.key ?? "").split(".");
    if (origin === "in") {
      rows.push(["Given", "an input of the vector: all that is computed begins with such values"]);
    } else if (origin) {
      const found = way.reduce((value, step) => value?.[step], outcome(module, block.id)[origin]);
      const same = String(found) === text;
      rows.push(["Module", `computes ${same ? "the same" : "something else"} from the inputs of ${block.id}`, same ? "good" : "bad"]);
      rows.push(["Computed", shown(found), "value"]);
    }
    if (block.name === "qr") rows.push(...decoded(module, text));
    if (block.name.endsWith("_record")) rows.push(...opened(module, block));
    return { first, end, rows, of: block.id ?? "the page" };
  }

  // ---- The panel

  const panel = document.createElement("section");
  panel.id = "reader";
  panel.hidden = true;
  panel.setAttribute("aria-label", "The byte that is chosen");
  panel.innerHTML =
    '<h2></h2><div aria-live="polite"><dl></dl></div><form><label for="reader-byte">Change this byte</label><input id="reader-byte" maxlength="2" autocomplete="off" spellcheck="false">' +
    '<button type="button" class="back">As it was</button></form><button type="button" class="close">Close</button>';
  document.getElementById("main").append(panel);
  const [title, rows, form] = ["h2", "dl", "form"].map((name) => panel.querySelector(name));
  const input = panel.querySelector("input");

  function clear() {
    for (const button of document.querySelectorAll(".byte.in, .byte.at")) button.classList.remove("in", "at");
  }

  function close() {
    const last = selected;
    clear();
    selected = null;
    panel.hidden = true;
    document.body.classList.remove("reading");
    last?.block.buttons[last.index].focus();
  }

  async function select(block, index) {
    selected = { block, index };
    let answer;
    try {
      const module = await load();
      answer = block.kind === "layout" ? ofLayout(module, block, index) : ofValue(module, block, index);
    } catch (error) {
      answer = { first: index, end: index + 1, rows: [["Module", String(error.message ?? error), "bad"]], of: "" };
    }
    // Somebody may have gone on while the module was loaded.
    if (selected?.block !== block || selected.index !== index) return;
    clear();
    block.buttons.forEach((button, at) => {
      button.classList.toggle("in", at >= answer.first && at < answer.end);
      button.classList.toggle("at", at === index);
      button.tabIndex = at === index ? 0 : -1;
    });
    const byte = block.bytes[index];
    const isByte = block.kind === "layout" || block.isHex;
    title.textContent = isByte ? `Byte ${index}: ${byte}, which is ${parseInt(byte, 16)}` : `Letter ${index}: ${byte}`;
    const lines = answer.of ? [["In", answer.of], ...answer.rows] : answer.rows;
    rows.replaceChildren(
      ...lines.flatMap(([name, text, style]) => {
        const [term, value] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = name;
        value.textContent = text;
        if (style) value.className = style;
        return [term, value];
      }),
    );
    form.hidden = !isByte;
    if (document.activeElement !== input) input.value = byte;
    panel.hidden = false;
    document.body.classList.add("reading");
  }

  function change(text) {
    const { block, index } = selected;
    block.bytes[index] = text;
    const button = block.buttons[index];
    button.textContent = text;
    button.classList.toggle("changed", text !== block.original[index]);
    select(block, index);
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("focus", () => input.select());
  input.addEventListener("input", () => {
    const text = input.value.toLowerCase();
    if (/^[0-9a-f]{2}$/.test(text)) change(text);
  });
  panel.querySelector(".back").addEventListener("click", () => {
    const { block } = selected;
    block.bytes = [...block.original];
    block.buttons.forEach((button, at) => {
      button.textContent = block.bytes[at];
      button.classList.remove("changed");
    });
    input.value = block.bytes[selected.index];
    select(block, selected.index);
  });
  panel.querySelector(".close").addEventListener("click", close);

  // ---- Clicks and keys

  const main = document.getElementById("main");
  main.addEventListener("click", (event) => {
    const place = blocks.get(event.target);
    if (place) select(place.block, place.index);
  });
  const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 16, ArrowUp: -16 };
  main.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && selected) close();
    const place = blocks.get(event.target);
    if (!place) return;
    const { block, index } = place;
    const last = block.buttons.length - 1;
    const to = { Home: 0, End: last }[event.key] ?? (event.key in STEPS ? index + STEPS[event.key] : null);
    if (to === null || to < 0 || to > last) return;
    event.preventDefault();
    block.buttons[to].focus();
    select(block, to);
  });

  // A table becomes buttons shortly before it is seen: there are ten thousand bytes.
  const watch = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watch.unobserve(target);
        prepareTable(target);
      }
    },
    { rootMargin: "800px" },
  );
  for (const table of main.querySelectorAll(".bytes, .values")) watch.observe(table);

  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent =
    "Click a byte, or move with the arrow keys: the module of the reference, running in this page, says which field it is and computes its value. Change a byte, and it says what a receiver would.";
  main.querySelector("h1").after(hint);
})();
