// The conversation: sends messages, shows the answer while it streams, and can stop it.

import { Conversation } from "./conversation.js";
import { button, element } from "./element.js";
import { fetchWithKey } from "./key.js";
import { events } from "./sse.js";
import { Turn } from "./turn.js";

const NEAR_END_PX = 80; // nearer than this, the log follows what is written

/** A conversation in `log`. `options()` returns {system, ...fields of the request}. */
export class Chat {
  #conversation = new Conversation();
  #controller = null;

  /** Calls `busy(state)` when an answer begins and ends, `used(numTokens)` as the context fills. */
  constructor(log, options, { busy, used }) {
    Object.assign(this, { log, options, busy, used });
    this.empty = log.querySelector(".empty");
    this.#restore();
    log.addEventListener("scroll", () => (this.atEnd = this.#isAtEnd()));
    new ResizeObserver(() => this.atEnd && this.#scroll()).observe(log); // what was in view stays so
    addEventListener("pagehide", () => this.#conversation.save());
  }

  /** Sends a message and streams the answer. */
  async send(text) {
    if (this.#controller) return;
    this.#conversation.add("user", text);
    this.#show("user", text);
    await this.#answer();
  }

  /** Asks the last question again. */
  async again() {
    if (this.#controller) return;
    this.#conversation.dropAnswer();
    if (this.log.lastElementChild.matches(".failed")) this.log.lastElementChild.remove();
    if (this.log.lastElementChild.matches(".assistant")) this.log.lastElementChild.remove();
    await this.#answer();
  }

  /** Stops the answer and keeps the text so far. */
  stop() {
    this.#controller?.abort();
  }

  /** Starts a new conversation. */
  clear() {
    this.stop();
    this.#controller = null;
    this.#conversation.clear();
    this.log.replaceChildren(this.empty);
    this.used(0);
    this.#settle();
  }

  #restore() {
    const { turns } = this.#conversation;
    for (const { role, content, cost } of turns) {
      const shown = this.#show(role, content);
      if (role === "assistant") shown.close(cost, () => this.again());
    }
    if (turns.at(-1)?.role === "user") this.#fail("This message has no answer yet.");
    this.used(turns.findLast((turn) => turn.numTokens)?.numTokens ?? 0);
  }

  async #answer() {
    const controller = (this.#controller = new AbortController());
    this.log.querySelector(".failed")?.remove();
    this.log.setAttribute("aria-busy", "true"); // a screen reader waits for the whole answer
    this.busy(true);
    const { system, ...fields } = this.options();
    const body = { ...fields, messages: this.#conversation.messages(system) };
    const shown = this.#show("assistant", "");
    shown.mark(true);
    const answer = { shown, turn: null, problem: "" };
    try {
      await this.#stream(answer, body, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) answer.problem = error instanceof TypeError ? "The server does not answer." : error.message;
    }
    shown.mark(false);
    if (controller === this.#controller) this.#end(answer, controller.signal.aborted);
  }

  async #stream(answer, fields, signal) {
    const asked = performance.now();
    const stream_options = { include_usage: true, continuous_usage_stats: true };
    const response = await fetchWithKey("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...fields, stream: true, stream_options }),
      signal,
    });
    if (!response.ok) throw new Error(await reason(response));
    let [first, end] = [null, ""];
    for await (const event of events(response.body)) {
      if (event.error) throw new Error(event.error.message);
      if (event.choices[0]?.delta.content) {
        first ??= performance.now();
        this.#append(answer, event.choices[0].delta.content);
      }
      if (event.choices[0]?.finish_reason === "length") end = "; stopped at the limit of tokens";
      if (event.usage && answer.turn) this.#count(answer.turn, event.usage, first - asked, performance.now() - first, end);
    }
  }

  #append(answer, piece) {
    answer.turn ??= this.#conversation.add("assistant", "");
    answer.turn.content += piece;
    answer.shown.grow(answer.turn.content);
  }

  #count(turn, usage, firstMs, restMs, end) {
    const { completion_tokens: count, total_tokens: total } = usage;
    const rate = count > 1 && restMs > 0 ? `, then ${(((count - 1) * 1000) / restMs).toFixed(0)} tokens/s` : "";
    turn.cost = `${count} tokens: first after ${firstMs.toFixed(0)} ms${rate}${end}`;
    turn.numTokens = total;
    this.used(total);
  }

  #show(role, content) {
    const shown = new Turn(role, content, (draw) => this.#following(draw));
    this.empty.remove();
    this.log.append(shown.node);
    this.#scroll();
    return shown;
  }

  /** Draws, and stays at the end if the reader is there. */
  #following(draw) {
    const atEnd = this.#isAtEnd();
    draw();
    if (atEnd) this.#scroll();
  }

  #isAtEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END_PX;
  }

  #scroll() {
    this.log.scrollTop = this.log.scrollHeight;
    this.atEnd = true;
  }

  #fail(message) {
    const failed = element("div", "failed");
    const notice = element("p", "notice", message);
    notice.setAttribute("role", "alert");
    failed.append(notice, button("Retry", "", () => this.again()));
    this.log.append(failed);
    this.#scroll();
  }

  #end({ shown, turn, problem }, stopped) {
    if (turn) this.#following(() => shown.close(turn.cost, () => this.again()));
    else shown.node.remove();
    const nothing = stopped ? "Stopped before the answer began." : "The model wrote nothing.";
    if (problem || !turn) this.#fail(problem || nothing);
    this.#conversation.save();
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
