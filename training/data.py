"""The chats: read, clean, split. One line of JSON a chat, see ``data/README.md``.

``python -m training.data`` prints how many chats each rule of the cleaning drops.
"""

import gzip
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

CHATS = Path(__file__).parent / "data" / "chat.jsonl.gz"
HELD_OUT_PERCENT = 4
MAX_WORDS = 130

_TYPOGRAPHY = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"}
)
_SENTENCE_END = re.compile(r'(?<=[.!?])"?\s+(?=["A-Z])')
_WORD = re.compile(r"[A-Za-z']+")
_BROKEN = re.compile(
    r"\*\*|^#|^\s*[-*•]\s|https?:|www\.|```|\[|\]|\{|\}|<|>|_|\|"  # markup in a spoken reply
    r"|as an ai\b|language model|virtual assistant|smollm|hugging face"
    r"|\b(\w+)( and| or|,)? \1\b",  # "beautiful and beautiful", "the the"
    re.IGNORECASE | re.MULTILINE,
)
_FILLER = frozenset(  # words of the templates, not of what is asked about
    _WORD.findall(
        "a about advice an and any bedtime best between boy bring called can child describe"
        " difference do explain fact for from fun get girl give has how i important in is it kind"
        " kinds list make me my name of on one people poem say sentence short some something story"
        " take tell that the things three tiny tip to use very want wants way what who why with"
        " write you your"
    )
)


@dataclass(frozen=True)
class Chat:
    """One question and its reply."""

    user: str
    assistant: str


def read(path: Path = CHATS) -> list[Chat]:
    """Read all chats of ``path``, uncleaned."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        turns = [json.loads(line)["messages"] for line in lines]
    return [Chat(user["content"], assistant["content"]) for user, assistant in turns]


def tidy(chat: Chat) -> Chat:
    """Make the typography plain; end the reply before it repeats itself or breaks off."""
    reply = unicodedata.normalize("NFKD", chat.assistant.translate(_TYPOGRAPHY))
    reply = "".join(c for c in reply if not unicodedata.combining(c))  # "café" -> "cafe"
    reply = re.sub(r"\n\s*\n+", "\n\n", re.sub(r"[ \t]+", " ", reply)).strip()
    return Chat(chat.user.strip(), _whole_sentences(_before_repetition(reply)))


def _whole_sentences(reply: str) -> str:
    """Cut ``reply`` after its last sentence that ends, with no quotation left open."""
    ends = [match.end() for match in re.finditer(r'[.!?]"?(?=\s|$)', reply)]
    closed = [end for end in ends if reply.count('"', 0, end) % 2 == 0]
    return reply[: closed[-1]] if closed else reply


def _before_repetition(reply: str) -> str:
    """Cut ``reply`` before the first sentence that mostly says what was said before."""
    seen: set[tuple[str, ...]] = set()
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(reply)), len(reply)]:
        trigrams = _ngrams(_words(reply[start:end]), 3)
        if trigrams and sum(t in seen for t in trigrams) > 0.5 * len(trigrams):
            return reply[:start].strip()
        seen.update(trigrams)
        start = end
    return reply


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _ngrams(words: list[str], size: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(size)), strict=False))


def is_foreign(chat: Chat) -> bool:
    """Other letters than English ones (accents of names, too), or symbols such as emoji."""
    return not chat.assistant.isascii()


def is_badly_sized(chat: Chat) -> bool:
    """Fewer than three words or more than ``MAX_WORDS``."""
    return not 3 <= len(_words(chat.assistant)) <= MAX_WORDS


def is_cut_off(chat: Chat) -> bool:
    """No end of a sentence at its end, or a quotation that is never closed."""
    reply = chat.assistant
    return not re.search(r'[.!?]"?$', reply) or reply.count('"') % 2 == 1


def is_broken(chat: Chat) -> bool:
    """Markup, a doubled word, or talk of being a language model."""
    return bool(_BROKEN.search(chat.assistant))


def is_repetitive(chat: Chat) -> bool:
    """Trigrams that recur, or one content word that is a large part of the reply."""
    words = _words(chat.assistant)
    trigrams = _ngrams(words, 3)
    content = Counter(word for word in words if len(word) > 3)
    loudest = max(content.values(), default=0)
    return (len(trigrams) > 8 and len(set(trigrams)) < 0.85 * len(trigrams)) or loudest > max(
        4, 0.12 * len(words)
    )


def misses_the_question(chat: Chat) -> bool:
    """Names none of the things that the question names (by their first four letters)."""
    asked = {w[:4] for w in _words(chat.user) if w not in _FILLER and len(w) > 2}
    answered = {w[:4] for w in _words(chat.assistant)}
    is_small_talk = len(_words(chat.user)) <= 5 or not asked
    return not is_small_talk and not asked & answered


Rule = Callable[[Chat], bool]
RULES: tuple[Rule, ...] = (
    is_foreign,
    is_badly_sized,
    is_cut_off,
    is_broken,
    is_repetitive,
    misses_the_question,
)


def clean(chats: Iterable[Chat]) -> tuple[list[Chat], Counter[str]]:
    """Return the tidied chats that no rule drops, without doubles; and how many each rule drops."""
    kept: dict[Chat, None] = {}
    dropped: Counter[str] = Counter()
    for chat in map(tidy, chats):
        reason = next((rule.__name__ for rule in RULES if rule(chat)), None)
        if reason is None and chat in kept:
            reason = "is_double"
        if reason is None:
            kept[chat] = None
        else:
            dropped[reason] += 1
    return list(kept), dropped


def is_held_out(chat: Chat) -> bool:
    """Whether the chat is kept from training: by its question, so none is in both parts."""
    digest = hashlib.sha256(chat.user.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def split(chats: Iterable[Chat]) -> tuple[list[Chat], list[Chat]]:
    """Split into chats to train on and held-out chats."""
    chats = list(chats)
    return [c for c in chats if not is_held_out(c)], [c for c in chats if is_held_out(c)]


def main() -> None:
    """Print what the cleaning does."""
    chats = read()
    kept, dropped = clean(chats)
    train, held_out = split(kept)
    cut = sum(len(tidy(c).assistant.split()) < len(c.assistant.split()) for c in chats)
    print(f"{len(chats)} chats read; {cut} replies cut before a repetition or a part of a sentence")
    for reason, count in dropped.most_common():
        print(f"{count:6} dropped: {reason}")
    words = sum(len(c.assistant.split()) for c in kept)
    print(f"{len(kept)} kept, {words} words: {len(train)} train, {len(held_out)} held out")


if __name__ == "__main__":
    main()
