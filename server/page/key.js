// The API key, kept for this tab only.

const NAME = "sterna-key";

let refused = null; // the key that got a 401; trying it again would only fill the log

/** Returns the key, or an empty string. */
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

/** Returns whether the server refused the current key, or its absence. */
export function isRefused() {
  return refused === current();
}

/** Binds the key to an input; calls `changed` when it is edited. */
export function bind(input, changed) {
  input.value = current();
  input.addEventListener("change", () => {
    sessionStorage.setItem(NAME, input.value.trim());
    changed();
  });
}
