// Connects the controls, the chat and the charts.

import { Chat } from "./chat.js";
import { Context } from "./context.js";
import { bind as bindKey, fetchWithKey } from "./key.js";
import { Live } from "./live.js";
import { Sampling } from "./sampling.js";
import { bind as bindTabs } from "./tabs.js";

const get = (id) => document.getElementById(id);
const [form, prompt, model] = ["form", "prompt", "model"].map(get);

const sampling = new Sampling(get("sampling"));
const context = new Context(get("context"), get("context-bar"));
const chat = new Chat(get("log"), () => ({ model: model.value, ...sampling.values() }), {
  busy(state) {
    get("send").hidden = state;
    get("stop").hidden = !state;
    if (document.activeElement === document.body) prompt.focus(); // the focused button is now hidden
  },
  used: (numTokens) => context.setUsed(numTokens),
});
const live = new Live(get("charts"), report);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = prompt.value.trim();
  if (!text || get("send").hidden) return;
  prompt.value = "";
  prompt.focus();
  chat.send(text);
});

prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") chat.stop();
});

get("stop").addEventListener("click", () => chat.stop());
get("retry").addEventListener("click", () => live.read());
get("clear").addEventListener("click", () => {
  chat.clear();
  prompt.focus();
});

async function listModels() {
  const response = await fetchWithKey("/v1/models").catch(() => null);
  if (!response?.ok) return;
  const { data } = await response.json();
  model.replaceChildren(...data.map(({ id }) => new Option(id, id)));
  context.setSize(data[0]?.max_model_len);
}

function report(state, text, engine, seen) {
  if (state === "ready" && !model.length) listModels();
  get("status").className = state;
  get("gone").hidden = state !== "gone";
  if (state === "gone") say(get("gone-text"), `The server is ${text}.${seen && ` The charts show what it did until ${seen}.`}`);
  say(get("status-text"), text);
  if (engine) get("facts").textContent = [engine.isa, engine.threads && `${engine.threads} threads`].filter(Boolean).join(", ");
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text; // so that screen readers announce only changes
}

bindTabs(get("tabs"));
bindKey(get("key-form"), () => {
  listModels();
  live.read();
});
live.read();
