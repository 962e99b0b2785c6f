"""Logprobs of the engine -> the three shapes in which the API gives them."""

from collections.abc import Sequence

from sterna.engine import PromptLogprob, TokenLogprob
from sterna.server.generation.text_delta import TextDelta, TextToken
from sterna.server.schemas import logprobs as wire
from sterna.server.text.vocabulary import Vocabulary

LEAST_LOGPROB = -9999.0  # JSON has no infinity; OpenAI's word for "very unlikely"


class LogprobWriter:
    """Writes what the engine knows of token ids in the texts of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def chat(self, tokens: Sequence[TextToken]) -> wire.ChatLogprobs:
        """One entry for each token."""
        return wire.ChatLogprobs(content=[self._chat_token(token) for token in tokens])

    def completion(self, tokens: Sequence[TextToken]) -> wire.CompletionLogprobs:
        """The older shape: a list for each kind of value."""
        return wire.CompletionLogprobs(
            text_offset=[token.text_offset for token in tokens],
            token_logprobs=[_floor(token.logprob) for token in tokens],
            tokens=[self._vocabulary.text_of(token.token_id) for token in tokens],
            top_logprobs=[self._top_texts(token) for token in tokens],
        )

    def prompt(self, delta: TextDelta, num_top: int | None) -> wire.PromptLogprobs | None:
        """VLLM's shape: ``num_top`` alternatives by token id, and the token itself among them.

        None: nobody asked, or the prompt went with an earlier delta.
        """
        if num_top is None or delta.prompt_logprobs is None:
            return None
        return [self._prompt_token(score, num_top) for score in delta.prompt_logprobs]

    def _chat_token(self, token: TextToken) -> wire.TokenLogprob:
        assert token.logprob is not None, "an answer's tokens all have one"
        chosen = self._top(TokenLogprob(token.token_id, token.logprob))
        return wire.TokenLogprob(
            **chosen.model_dump(), top_logprobs=[self._top(top) for top in token.top_logprobs]
        )

    def _top(self, top: TokenLogprob) -> wire.TopLogprob:
        return wire.TopLogprob(
            token=self._vocabulary.text_of(top.token_id),
            logprob=max(top.logprob, LEAST_LOGPROB),
            bytes=list(self._vocabulary.bytes_of(top.token_id)),
        )

    def _top_texts(self, token: TextToken) -> dict[str, float] | None:
        """Of tokens with the same text the best; the token itself is always there."""
        if token.logprob is None:
            return None
        listed: dict[str, float] = {}
        for top in (*token.top_logprobs, TokenLogprob(token.token_id, token.logprob)):
            listed.setdefault(
                self._vocabulary.text_of(top.token_id), max(top.logprob, LEAST_LOGPROB)
            )
        return listed

    def _prompt_token(
        self, score: PromptLogprob, num_top: int
    ) -> dict[int, wire.PromptTokenLogprob] | None:
        if score.logprob is None:
            return None
        listed: dict[int, tuple[float, int | None]] = {score.token_id: (score.logprob, score.rank)}
        for rank, top in enumerate(score.top[:num_top], 1):
            listed[top.token_id] = (top.logprob, rank)
        return {
            token_id: wire.PromptTokenLogprob(
                logprob=max(logprob, LEAST_LOGPROB),
                rank=rank,
                decoded_token=self._vocabulary.text_of(token_id),
            )
            for token_id, (logprob, rank) in listed.items()
        }


def _floor(logprob: float | None) -> float | None:
    return None if logprob is None else max(logprob, LEAST_LOGPROB)
