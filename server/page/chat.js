// The conversation: sends messages, shows the answer while it streams, and can stop it.

import { element } from "./chart.js";
import { fetchWithKey } from "./key.js";
import { events } from "./sse.js";

/** A conversation shown in `log`. Calls `busy(state)` when an answer begins and ends. */
export class Chat {
  #messages = [];
  #controller = null;

  constructor(log, busy) {
    this.log = log;
    this.busy = busy;
  }

  /** Sends a message and streams the answer. `options`: model and temperature. */
  async send(text, options) {
    if (this.#controller) return;
    const controller = (this.#controller = new AbortController());
    this.#begin();
    this.#messages.push({ role: "user", content: text });
    this.#show("user", text);
    const shown = this.#show("assistant writing", "");
    try {
      await this.#stream(shown, options, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) this.#fail(error.message);
    }
    shown.classList.remove("writing");
    if (controller === this.#controller) this.#end(shown);
  }

  /** Stops the answer and keeps the text so far. */
  stop() {
    this.#controller?.abort();
  }

  /** Starts a new conversation. */
  clear() {
    this.stop();
    this.#controller = null;
    this.#messages = [];
    this.log.replaceChildren();
    this.#settle();
  }

  async #stream(shown, options, signal) {
    const asked = performance.now();
    const body = { ...options, messages: this.#messages, stream: true, stream_options: { include_usage: true } };
    const response = await fetchWithKey("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    if (!response.ok) throw new Error(await reason(response));
    let first = null;
    for await (const event of events(response.body)) {
      if (event.error) throw new Error(event.error.message);
      const piece = event.choices[0]?.delta.content;
      if (piece) {
        first ??= performance.now();
        this.#append(shown, piece);
      }
      if (event.usage && first) this.#showCost(event.usage.completion_tokens, first - asked, performance.now() - first);
    }
  }

  #append(shown, piece) {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
    shown.append(piece);
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  #show(kind, text) {
    const turn = element("p", `turn ${kind}`, text);
    turn.setAttribute("aria-label", kind.startsWith("user") ? "You" : "The model");
    this.log.append(turn);
    this.log.scrollTop = this.log.scrollHeight;
    return turn;
  }

  #showCost(numTokens, firstMs, restMs) {
    const rate = numTokens > 1 && restMs > 0 ? `, then ${(((numTokens - 1) * 1000) / restMs).toFixed(0)} tokens/s` : "";
    const text = `${numTokens} tokens: first after ${firstMs.toFixed(0)} ms${rate}`;
    this.log.append(element("p", "cost", text));
    this.log.scrollTop = this.log.scrollHeight;
  }

  #fail(message) {
    const notice = element("p", "notice", message);
    notice.setAttribute("role", "alert");
    this.log.append(notice);
    this.log.scrollTop = this.log.scrollHeight;
  }

  #begin() {
    this.log.querySelector(".empty")?.remove();
    this.log.setAttribute("aria-busy", "true"); // a screen reader waits for the whole answer
    this.busy(true);
  }

  #end(shown) {
    if (shown.textContent) this.#messages.push({ role: "assistant", content: shown.textContent });
    else {
      shown.remove();
      this.#messages.pop(); // so that the question can be asked again
    }
    this.#controller = null;
    this.#settle();
  }

  #settle() {
    this.log.setAttribute("aria-busy", "false");
    this.busy(false);
  }
}

async function reason(response) {
  const body = await response.json().catch(() => null);
  return body?.error?.message ?? `The server answered with status ${response.status}.`;
}
