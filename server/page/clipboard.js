// Copies text, also where the page came over plain HTTP from another machine.

const SHOWN_MS = 1500;

/** Copies `text` and says so on the button. */
export async function copy(text, button) {
  const done = (await modern(text)) || old(text);
  button.focus();
  button.textContent = done ? "Copied" : "Cannot copy here";
  setTimeout(() => (button.textContent = "Copy"), SHOWN_MS);
}

async function modern(text) {
  try {
    await navigator.clipboard.writeText(text); // there is none without HTTPS, except on localhost
    return true;
  } catch {
    return false;
  }
}

function old(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
