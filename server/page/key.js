// The API key, asked for only where the server wants one, and kept for this tab only.

const NAME = "sterna-key";

const refused = new Map(); // path -> the key that got a 401 there; trying it again would only fill the log
let form = null;

/** Returns the key, or an empty string. */
function current() {
  return sessionStorage.getItem(NAME) ?? "";
}

/**
 * Fetches a path of the server, wherever a proxy has put it, with the key, if there is one; shows or
 * hides the form as the server answers.
 */
export async function fetchWithKey(path, options = {}) {
  const key = current();
  const headers = { ...options.headers, ...(key && { authorization: `Bearer ${key}` }) };
  const response = await fetch(new URL(`..${path}`, import.meta.url), { ...options, headers });
  if (response.status === 401) ask(path, key);
  else if (refused.has(path)) {
    refused.clear();
    form.hidden = true;
  }
  return response;
}

/** Returns whether the server refused the current key, or its absence. */
export function isRefused(path) {
  return refused.get(path) === current();
}

/** Binds the key to a form with one input; calls `changed` when another key is given. */
export function bind(keyForm, changed) {
  form = keyForm;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(NAME, form.elements.key.value.trim());
    changed();
  });
}

function ask(path, key) {
  refused.set(path, key);
  form.querySelector("p").textContent = key
    ? "The server does not accept this API key."
    : "This server wants an API key: one of those that it was started with (--api-key).";
  form.hidden = false;
}
