// Markdown as elements. What a model writes is not trusted: its HTML is shown as text, and what the
// Markdown becomes is cut down to the tags below.

import { button, element } from "./element.js";
import { copy } from "./clipboard.js";
import { Marked } from "./vendor/marked.esm.js";
import DOMPurify from "./vendor/purify.es.mjs";

const TAGS =
  "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul #text".split(" ");
const RULES = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", "title", "start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const escaped = (text) =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  walkTokens: linkTo,
  renderer: {
    html: ({ text }) => escaped(text),
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

/** Returns the nodes of HTML that are allowed. */
export function clean(html) {
  return DOMPurify.sanitize(html, RULES);
}

/** Returns the nodes of a text in Markdown, with a button to copy each block of code. */
export function render(text) {
  const nodes = clean(marked.parse(text).trim());
  for (const link of nodes.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const block of nodes.querySelectorAll("pre")) frame(block);
  for (const table of nodes.querySelectorAll("table")) {
    const scroller = element("div", "wide");
    table.replaceWith(scroller);
    scroller.append(table);
  }
  return nodes;
}

/** Turns a picture into a link: the page loads nothing from elsewhere. */
function linkTo(token) {
  if (token.type !== "image") return;
  const text = token.text || token.href;
  Object.assign(token, { type: "link", tokens: [{ type: "text", raw: text, text }] });
}

function frame(block) {
  const holder = element("div", "code");
  const source = block.textContent.trimEnd();
  block.tabIndex = 0; // so that the keyboard can scroll it
  block.replaceWith(holder);
  holder.append(block, button("Copy", "quiet", (event) => copy(source, event.target)));
}
