// The API key, kept for this tab only.

const NAME = "sterna-key";

let refused = null; // the key that was answered with 401: another try would be another log line

/** The key; empty: none. */
function current() {
  return sessionStorage.getItem(NAME) ?? "";
}

/** Fetches a path of the server, wherever a proxy has put it, with the key, if there is one. */
export async function fetchWithKey(path, options = {}) {
  const key = current();
  const headers = { ...options.headers, ...(key && { authorization: `Bearer ${key}` }) };
  const response = await fetch(new URL(`..${path}`, import.meta.url), { ...options, headers });
  if (response.status === 401) refused = key;
  return response;
}

/** Tells whether the server has refused the present key, or that there is none. */
export function isRefused() {
  return refused === current();
}

/** Ties the key to an input; calls `changed` when another was typed. */
export function bind(input, changed) {
  input.value = current();
  input.addEventListener("change", () => {
    sessionStorage.setItem(NAME, input.value.trim());
    changed();
  });
}
