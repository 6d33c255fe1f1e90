// Shows one scene of the script in the real views: /tests/page/scenes.html?scene=NAME. What the user does is recorded in
// `window.acted`, and events of it are applied, so that a test can press what it sees.

import { render } from "/page/dom.js";
import { initial, reduce } from "/page/state.js";
import { pageView } from "/page/views/frame.js";
import { NOW, SCENES } from "./scenes.js";

const name = new URLSearchParams(location.search).get("scene");
const host = document.getElementById("page");
let state = SCENES[name]().reduce(reduce, initial());
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

draw();
const list = document.querySelector(".messages");
if (list) list.scrollTop = list.scrollHeight;
document.documentElement.dataset.shown = name;
