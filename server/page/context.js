// How much of the model's context the conversation fills.

/** Shows it in `text` and `bar`, as soon as the size is known. */
export class Context {
  #size = 0;
  #used = 0;

  constructor(text, bar) {
    [this.text, this.bar] = [text, bar];
  }

  /** Takes the size, in tokens. */
  setSize(size) {
    this.#size = size ?? 0;
    this.#show();
  }

  /** Takes the number of tokens of the last question and its answer. */
  setUsed(used) {
    this.#used = used;
    this.#show();
  }

  #show() {
    this.text.hidden = this.bar.hidden = !this.#size;
    [this.bar.max, this.bar.value] = [this.#size || 1, this.#used];
    this.bar.classList.toggle("full", this.#used > 0.9 * this.#size);
    this.text.textContent = `Context: ${this.#used.toLocaleString("en")} of ${this.#size.toLocaleString("en")} tokens`;
  }
}
