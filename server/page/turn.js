// One turn of the conversation as it is shown: a bubble, and below an answer its cost and buttons.

import { copy } from "./clipboard.js";
import { button, element } from "./element.js";
import { render } from "./markdown.js";

/** A question is shown as it was typed, an answer as Markdown. */
export class Turn {
  #content = "";
  #frame = 0;

  /** `around` is called with each function that draws, and calls it. */
  constructor(role, content, around) {
    [this.role, this.around] = [role, around];
    this.node = element("div", `said ${role}`);
    this.bubble = element("div", `turn ${role}`);
    this.bubble.setAttribute("role", "group");
    this.bubble.setAttribute("aria-label", role === "user" ? "You" : "The model");
    this.node.append(this.bubble);
    this.#content = content;
    this.#draw();
  }

  /** Shows a longer text, at most once a frame. */
  grow(content) {
    this.#content = content;
    this.#frame ||= requestAnimationFrame(() => this.around(() => this.#draw()));
  }

  /** Marks an answer as being written, or not. */
  mark(writing) {
    this.bubble.classList.toggle("writing", writing);
    if (!writing) this.around(() => this.#draw());
  }

  /** Adds what an answer did cost, and what can be done with it. */
  close(cost, regenerate) {
    const foot = element("div", "foot");
    foot.append(
      element("span", "cost", cost ?? ""),
      button("Copy", "quiet", (event) => copy(this.#content, event.target)),
      button("Regenerate", "quiet regenerate", regenerate),
    );
    this.node.append(foot);
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.role === "user") this.bubble.textContent = this.#content;
    else this.bubble.replaceChildren(render(this.#content));
  }
}
