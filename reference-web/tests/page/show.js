// Shows one scene of the script in the real views: /tests/page/scenes.html?scene=NAME. What the user does is recorded in
// `window.acted`, and events of it are applied, so that a test can press what it sees. With `&steps` the page is drawn after each event,
// as it is in life: what comes out must look the same.

import { render } from "/page/dom.js";
import { initial, reduce } from "/page/state.js";
import { pageView } from "/page/views/frame.js";
import { NOW, SCENES } from "./scenes.js";

const wanted = new URLSearchParams(location.search);
const name = wanted.get("scene");
const host = document.getElementById("page");
let state = initial();
window.acted = [];

function act(action) {
  window.acted.push(action.event ?? action.verb);
  if (action.event) state = reduce(state, action);
  else if (action.verb === "draft") state = reduce(state, { event: "draft", chat: action.chat, text: action.text });
  else if (action.verb === "open") state = reduce(state, { event: "open_chat", chat: action.chat });
  else return;
  draw();
}

function draw() {
  render(host, pageView(state, NOW, act));
}

for (const event of SCENES[name]()) {
  state = reduce(state, event);
  if (wanted.has("steps")) draw();
}
draw();
const list = document.querySelector(".messages");
if (list) list.scrollTop = list.scrollHeight;
document.documentElement.dataset.shown = name;
