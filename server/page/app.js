// Connects the controls, the chat and the charts.

import { Chat } from "./chat.js";
import { bind, fetchWithKey } from "./key.js";
import { start } from "./live.js";

const get = (id) => document.getElementById(id);
const [form, prompt, model, temperature] = ["form", "prompt", "model", "temperature"].map(get);

const chat = new Chat(get("log"), (busy) => {
  get("send").hidden = busy;
  get("stop").hidden = !busy;
  if (document.activeElement === document.body) prompt.focus(); // the focused button is now hidden
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = prompt.value.trim();
  if (!text || get("send").hidden) return;
  prompt.value = "";
  prompt.focus();
  chat.send(text, { model: model.value, temperature: Number(temperature.value) });
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
get("clear").addEventListener("click", () => {
  chat.clear();
  prompt.focus();
});
temperature.addEventListener("input", () => {
  get("temperature-value").textContent = Number(temperature.value).toFixed(1);
});

async function listModels() {
  const response = await fetchWithKey("/v1/models").catch(() => null);
  if (!response?.ok) return;
  const { data } = await response.json();
  model.replaceChildren(...data.map(({ id }) => new Option(id, id)));
}

function report(state, text, engine) {
  if (state === "ready" && !model.length) listModels();
  get("status").className = state;
  const shown = get("status-text");
  if (shown.textContent !== text) shown.textContent = text; // so that screen readers announce only changes
  if (engine) get("facts").textContent = [engine.isa, engine.threads && `${engine.threads} threads`].filter(Boolean).join(", ");
}

bind(get("key"), listModels);
start(report);
