"""A tokenizer from the keys of a GGUF file, as the ``tokenizers`` library has it.

``gpt2`` is byte-level BPE, whose regular expression has a name; ``llama`` is sentencepiece's BPE,
whose merges follow from the scores. A name that is not known is refused: a wrong expression gives
subtly wrong ids.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

_CONTRACTIONS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3: Final = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_REST}"
)
_QWEN2: Final = _LLAMA3.replace("{1,3}", "")
_QWEN35: Final = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_REST}"
)
_EXPRESSIONS: Final = {
    **dict.fromkeys(
        ("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "falcon_e"), _LLAMA3
    ),
    "qwen2": _QWEN2,
    "qwen35": _QWEN35,
}
"""By the names of ``tokenizer.ggml.pre``."""
_CONTROL, _USER_DEFINED, _BYTE = 3, 4, 6  # types of tokens
_UNDERSCORE: Final = "\u2581"  # a space, in sentencepiece


def build_tokenizer(keys: Mapping[str, Any]) -> Tokenizer:
    """Make the tokenizer that the keys describe.

    Raises ValueError for a model or an expression that is not known, KeyError for a missing key.
    """
    kind = keys["tokenizer.ggml.model"]
    if kind not in _BUILDERS:
        raise ValueError(f"tokenizer.ggml.model: found {kind!r}, expected gpt2 or llama")
    tokenizer = _BUILDERS[kind](keys)
    _add_tokens(tokenizer, keys)
    _begin_with_bos(tokenizer, keys, default=kind == "llama")
    return tokenizer


def _byte_level(keys: Mapping[str, Any]) -> Tokenizer:
    name = keys.get("tokenizer.ggml.pre")
    if name not in _EXPRESSIONS:
        known = ", ".join(_EXPRESSIONS)
        raise ValueError(f"tokenizer.ggml.pre: found {name!r}, expected one of {known}")
    merges = [tuple(merge.split(" ", 1)) for merge in keys["tokenizer.ggml.merges"]]
    vocab = {text: token_id for token_id, text in enumerate(keys["tokenizer.ggml.tokens"])}
    is_llama3 = _EXPRESSIONS[name] is _LLAMA3
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=is_llama3))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_EXPRESSIONS[name]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(keys: Mapping[str, Any]) -> Tokenizer:
    tokens, scores = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"]
    vocab = {text: token_id for token_id, text in enumerate(tokens)}
    unknown = tokens[keys.get("tokenizer.ggml.unknown_token_id", 0)]
    model = models.BPE(
        vocab, _merges(tokens, scores), unk_token=unknown, fuse_unk=True, byte_fallback=True
    )
    tokenizer = Tokenizer(model)
    prefix = keys.get("tokenizer.ggml.add_space_prefix", True)
    steps = [normalizers.Prepend(_UNDERSCORE)] if prefix else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", _UNDERSCORE)])
    ends = [decoders.Strip(content=" ", left=1)] if prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_UNDERSCORE, " "), decoders.ByteFallback(), decoders.Fuse(), *ends]
    )
    return tokenizer


def _merges(tokens: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Return every pair of tokens that makes a token, the best score first.

    sentencepiece joins the pair whose result scores best; of equal ones, the first in the text.
    """
    ids = {text: token_id for token_id, text in enumerate(tokens)}
    found = []
    for text, token_id in ids.items():
        pairs = [(text[:at], text[at:]) for at in range(1, len(text))]
        known = [pair for pair in pairs if pair[0] in ids and pair[1] in ids]
        known.sort(key=lambda pair: (ids[pair[0]], ids[pair[1]]))
        found += [(-scores[token_id], pair) for pair in known]
    return [pair for _, pair in sorted(found, key=lambda item: item[0])]


def _add_tokens(tokenizer: Tokenizer, keys: Mapping[str, Any]) -> None:
    """Tell which tokens are whole wherever they stand: control tokens, and those of users."""
    tokens, types = keys["tokenizer.ggml.tokens"], keys.get("tokenizer.ggml.token_type", [])
    for kind, add in (
        (_CONTROL, tokenizer.add_special_tokens),
        (_USER_DEFINED, tokenizer.add_tokens),
    ):
        named = [text for text, own in zip(tokens, types, strict=False) if own == kind]
        add([AddedToken(text, special=kind == _CONTROL, normalized=False) for text in named])


def _begin_with_bos(tokenizer: Tokenizer, keys: Mapping[str, Any], *, default: bool) -> None:
    bos_id = keys.get("tokenizer.ggml.bos_token_id")
    is_llama3 = _EXPRESSIONS.get(str(keys.get("tokenizer.ggml.pre"))) is _LLAMA3
    if bos_id is None or not keys.get("tokenizer.ggml.add_bos_token", default or is_llama3):
        return
    bos = keys["tokenizer.ggml.tokens"][bos_id]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, bos_id)]
    )


_BUILDERS: Final = {"gpt2": _byte_level, "llama": _sentencepiece}
