// The system prompt and the settings of sampling, folded away above the chat and kept in the tab.

const NAME = "sterna-settings";

/** The fields of a form; an empty one is left to the server. */
export class Sampling {
  constructor(form) {
    this.form = form;
    this.#restore();
    form.addEventListener("input", () => this.#changed());
    form.addEventListener("reset", () => setTimeout(() => this.#changed()));
    form.addEventListener("submit", (event) => event.preventDefault());
    this.#show();
  }

  /** Returns {system, temperature, ...}. */
  values() {
    const { system, ...numbers } = Object.fromEntries(new FormData(this.form));
    const given = Object.entries(numbers).filter(([, text]) => text !== "");
    return { system: system.trim(), ...Object.fromEntries(given.map(([name, text]) => [name, Number(text)])) };
  }

  #restore() {
    const kept = JSON.parse(sessionStorage.getItem(NAME) ?? "{}");
    for (const [name, value] of Object.entries(kept)) if (this.form.elements[name]) this.form.elements[name].value = value;
  }

  #changed() {
    sessionStorage.setItem(NAME, JSON.stringify(Object.fromEntries(new FormData(this.form))));
    this.#show();
  }

  #show() {
    for (const output of this.form.querySelectorAll("output"))
      output.textContent = Number(this.form.elements[output.htmlFor].value).toFixed(output.htmlFor.value === "temperature" ? 1 : 2);
  }
}
