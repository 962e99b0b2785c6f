"""Turns checked bodies into jobs. Every refusal that depends on the prompt happens here.

Prompts are rendered and encoded on a thread, so that a long one does not delay other streams.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic

from sterna.engine import AsyncEngine
from sterna.server.constraints.compiler import ConstraintCompiler
from sterna.server.errors import NO_RETRY, InvalidRequestError
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.sampling import SamplingDefaults
from sterna.server.generation.tool_constraint import hold_to_tools
from sterna.server.schemas.chat_completions import ChatCompletionRequest
from sterna.server.schemas.chat_messages import for_template
from sterna.server.schemas.completions import DEFAULT_MAX_TOKENS, CompletionRequest, Prompt
from sterna.server.schemas.structured_outputs import ConstrainedFields
from sterna.server.text.echo import Echo
from sterna.server.text.tokenizer import Tokenizer
from sterna.server.tools.use import Tool


class PromptEncoder:
    """Turns a checked body into a job for the engine."""

    def __init__(
        self,
        engine: AsyncEngine,
        tokenizer: Tokenizer,
        defaults: SamplingDefaults,
        constraints: ConstraintCompiler,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._defaults = defaults
        self._constraints = constraints

    async def chat_job(self, body: ChatCompletionRequest) -> GenerationJob:
        """Return the job of a conversation. Raises InvalidRequestError, ContextLengthError."""
        arrived_at = monotonic()
        use = body.tool_use()
        prompt = await asyncio.to_thread(self._encode_chat, body, use.shown, must_fit=True)
        limit = body.token_limit
        job = await self._job([prompt], body, limit or self._room_after(prompt), arrived_at)
        return await hold_to_tools(replace(job, tool_use=use), self._constraints)

    async def encode_chat(self, body: ChatCompletionRequest) -> list[int]:
        """Return the token ids of a conversation of any length. Raises InvalidRequestError."""
        shown = body.tool_use().shown
        return await asyncio.to_thread(self._encode_chat, body, shown, must_fit=False)

    async def completion_job(self, body: CompletionRequest) -> GenerationJob:
        """Return the job of some prompts. Raises InvalidRequestError, ContextLengthError."""
        arrived_at = monotonic()
        if body.max_tokens == 0 and body.num_prompt_logprobs is None:
            message = "max_tokens: must be at least 1, or 0 with echo or prompt_logprobs."
            raise InvalidRequestError(message, param="max_tokens")
        prompts = await asyncio.to_thread(self._encode_all, body.prompt)
        limit = body.max_tokens
        if limit is None:
            limit = min(DEFAULT_MAX_TOKENS, *map(self._room_after, prompts))
        job = await self._job(prompts, body, limit, arrived_at)
        echoes = await asyncio.to_thread(self._echoes, body, prompts) if body.echo else ()
        return replace(job, continues_text=True, echoes=echoes)

    def check_token_ids(self, token_ids: Collection[int], param: str) -> None:
        """Raise InvalidRequestError if a token id is outside the vocabulary."""
        vocab_size = self._engine.model.vocab_size
        for token_id in (min(token_ids, default=0), max(token_ids, default=0)):
            if not 0 <= token_id < vocab_size:
                message = (
                    f"{param}: token ids must be from 0 to {vocab_size - 1}, found {token_id}."
                )
                raise InvalidRequestError(message, param=param)

    async def _job(
        self,
        prompts: Sequence[list[int]],
        body: ConstrainedFields,
        max_tokens: int,
        arrived_at: float,
    ) -> GenerationJob:
        for prompt in prompts:
            self._engine.check(len(prompt), max_tokens)
        self.check_token_ids(body.logit_bias or (), "logit_bias")
        self.check_token_ids(body.stop_token_ids or (), "stop_token_ids")
        if (body.min_tokens or 0) > max_tokens:
            message = (
                f"min_tokens: must not exceed max_tokens ({max_tokens}), found {body.min_tokens}."
            )
            raise InvalidRequestError(message, param="min_tokens")
        params = self._defaults.apply(body, max_tokens)
        spec, param = body.constraint() or (None, None)
        if spec and param:
            params = replace(params, constraint=await self._constraints.compile(spec, param))
        return GenerationJob(
            prompts,
            params,
            body.num_choices,
            body.stop or (),
            arrived_at,
            constraint_param=param,
            keeps_stop=bool(body.include_stop_str_in_output),
            skips_special=body.skip_special_tokens is not False,
            lists_tokens=body.lists_tokens,
        )

    def _encode_chat(
        self, body: ChatCompletionRequest, tools: Sequence[Tool], *, must_fit: bool
    ) -> list[int]:
        text = self._tokenizer.render_chat(for_template(body.messages), tools)
        if must_fit:
            self._check_may_fit(text)
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _check_may_fit(self, text: str) -> None:
        """Refuse a text that cannot fit before it is encoded, which takes a second per megabyte."""
        least = self._tokenizer.vocabulary.least_tokens(text)
        limit = self._engine.model.max_context_tokens
        if least > limit:
            message = (
                f"The maximum context length is {limit} tokens; the prompt has {least} or more."
            )
            raise InvalidRequestError(message, code="context_length_exceeded", headers=NO_RETRY)

    def _room_after(self, prompt: list[int]) -> int:
        """Return the tokens left in the context; at least 1, so that a long prompt is refused."""
        return max(self._engine.model.max_context_tokens - len(prompt), 1)

    def _encode_all(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        return [self._encode(prompt) for prompt in prompts]

    def _encode(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            self._check_may_fit(prompt)
            return self._tokenizer.encode(prompt)
        self.check_token_ids(prompt, "prompt")
        return prompt

    def _echoes(self, body: CompletionRequest, prompts: Sequence[list[int]]) -> list[Echo]:
        skips_special = body.skip_special_tokens is not False
        decode = partial(self._tokenizer.decode, skip_special_tokens=skips_special)
        return [
            Echo.of(ids, decode, given if isinstance(given, str) else None)
            for given, ids in zip(body.prompt, prompts, strict=True)
        ]
