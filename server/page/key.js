// The API key, kept for this tab only.

const NAME = "sterna-key";

/** Headers that carry the key, if there is one. */
export function headers() {
  const key = sessionStorage.getItem(NAME);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** Ties the key to an input; calls `changed` when another was typed. */
export function bind(input, changed) {
  input.value = sessionStorage.getItem(NAME) ?? "";
  input.addEventListener("change", () => {
    sessionStorage.setItem(NAME, input.value.trim());
    changed();
  });
}
