// The turns of a conversation, kept in the tab so that they survive a reload.

const NAME = "sterna-chat";

/** Turns: {role, content}; an answer also has `cost` (text) and `numTokens` (of the context). */
export class Conversation {
  turns = JSON.parse(sessionStorage.getItem(NAME) ?? "[]");

  /** What to send: all turns but the questions that got no answer, except the last one. */
  messages(system) {
    const isSent = ({ role }, index) => role === "assistant" || index === this.turns.length - 1 || this.turns[index + 1].role === "assistant";
    const sent = this.turns.filter(isSent).map(({ role, content }) => ({ role, content }));
    return system ? [{ role: "system", content: system }, ...sent] : sent;
  }

  /** Appends a turn and returns it. */
  add(role, content) {
    const turn = { role, content };
    this.turns.push(turn);
    this.save();
    return turn;
  }

  /** Removes the last answer, so that its question can be asked again. */
  dropAnswer() {
    if (this.turns.at(-1)?.role === "assistant") this.turns.pop();
    this.save();
  }

  clear() {
    this.turns = [];
    this.save();
  }

  /** Keeps the turns as they are now; one too long for the browser is kept only until a reload. */
  save() {
    try {
      sessionStorage.setItem(NAME, JSON.stringify(this.turns));
    } catch {
      sessionStorage.removeItem(NAME);
    }
  }
}
