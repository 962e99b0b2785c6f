"""The front door: every refusal that depends on the prompt happens here, before the first byte.

Renders and encodes in a thread, so that a long prompt never holds up the streams of others.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic

from engine import AsyncEngine
from server.errors import InvalidRequestError
from server.generation import GenerationJob
from server.sampling import SamplingDefaults
from server.schemas.chat_completions import ChatCompletionRequest
from server.schemas.common import SamplingFields
from server.schemas.completions import DEFAULT_MAX_TOKENS, CompletionRequest, Prompt
from server.tokenizer import Tokenizer


class PromptEncoder:
    """Turns a checked body into a job for the engine."""

    def __init__(
        self, engine: AsyncEngine, tokenizer: Tokenizer, defaults: SamplingDefaults
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._defaults = defaults

    async def chat_job(self, body: ChatCompletionRequest) -> GenerationJob:
        """The job of a conversation. Raises InvalidRequestError, ContextLengthError."""
        arrived_at = monotonic()
        messages = [message.for_template() for message in body.messages]
        prompt = await asyncio.to_thread(self._tokenizer.encode_chat, messages)
        limit = body.token_limit
        return self._job([prompt], body, limit or self._room_after(prompt), arrived_at)

    async def completion_job(self, body: CompletionRequest) -> GenerationJob:
        """The job of one or several prompts. Raises InvalidRequestError, ContextLengthError."""
        arrived_at = monotonic()
        prompts = await asyncio.to_thread(self._encode_all, body.prompt)
        room = min(self._room_after(prompt) for prompt in prompts)
        limit = body.max_tokens or min(DEFAULT_MAX_TOKENS, room)
        return self._job(prompts, body, limit, arrived_at)

    def _job(
        self,
        prompts: Sequence[list[int]],
        body: SamplingFields,
        max_tokens: int,
        arrived_at: float,
    ) -> GenerationJob:
        for prompt in prompts:
            self._engine.check(len(prompt), max_tokens)
        params = self._defaults.apply(body, max_tokens)
        return GenerationJob(prompts, params, body.num_choices, body.stop or (), arrived_at)

    def _room_after(self, prompt: list[int]) -> int:
        """Tokens that the context leaves; at least 1, so that a check finds the prompt too long."""
        return max(self._engine.model.max_context_tokens - len(prompt), 1)

    def _encode_all(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        return [self._encode(prompt) for prompt in prompts]

    def _encode(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            return self._tokenizer.encode(prompt)
        vocab_size = self._engine.model.vocab_size
        if not 0 <= min(prompt) <= max(prompt) < vocab_size:
            message = f"Token ids must be from 0 to {vocab_size - 1}."
            raise InvalidRequestError(message, param="prompt")
        return prompt
