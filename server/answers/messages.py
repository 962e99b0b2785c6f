"""The answer of ``/v1/messages``."""

import json
from collections.abc import Iterator, Sequence
from typing import TypedDict
from uuid import uuid4

from sterna.server.answers.usage import UsageCounter
from sterna.server.generation.job import GenerationJob
from sterna.server.generation.text_delta import TextDelta
from sterna.server.schemas.message_events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Content,
    Event,
    InputGain,
    MessageAnswer,
    MessageDelta,
    MessageEnd,
    MessageStart,
    MessageStop,
    MessageStopReason,
    MessageUsage,
    TextContent,
    TextGain,
    ToolUseContent,
)
from sterna.server.tools.parser import CallBegun, Piece, TextPiece, ToolParser, parse

ID_PREFIX = "toolu_"


class MessageHead(TypedDict):
    """What is known before the first token."""

    id: str
    model: str


class MessagesAnswer:
    """See ``Answer``. Blocks come one after another, so one at most is open."""

    def __init__(self, model: str, job: GenerationJob) -> None:
        self._head: MessageHead = {"id": f"msg_{uuid4().hex}", "model": model}
        self._use = job.tool_use
        self._usage = UsageCounter(job)
        self._parser = ToolParser(job.tool_use)
        self._num_blocks = 0
        self._open: type[Content] | None = None

    def whole(self, texts: Sequence[TextDelta]) -> MessageAnswer:
        """The message. A call that the limit has cut is left out: it has no arguments."""
        (answer,) = texts
        self._usage.add(answer)
        text, calls = parse(answer.text, self._use)
        content: list[Content] = [TextContent(text=text)] if text else []
        content += [
            ToolUseContent(id=ID_PREFIX + call.id, name=call.name, input=json.loads(call.arguments))
            for call in calls
            if call.is_complete
        ]
        return MessageAnswer(
            **self._head,
            content=content,
            stop_reason=_stop_reason(answer, has_called=bool(calls)),
            stop_sequence=_stop_sequence(answer),
            usage=_usage(self._usage),
        )

    def chunks(self, delta: TextDelta) -> Iterator[Event]:
        """The events that a delta becomes; with the first one, also the beginning."""
        is_first = not self._usage.num_generated
        self._usage.add(delta)
        if is_first:
            yield self._start()
        pieces = self._parser.push(delta.text)
        if delta.finish_reason:
            pieces += self._parser.finish()
        for piece in pieces:
            yield from self._events(piece)
        if delta.finish_reason:
            yield from self._close()
            reason = _stop_reason(delta, has_called=self._parser.num_calls > 0)
            end = MessageEnd(stop_reason=reason, stop_sequence=_stop_sequence(delta))
            yield MessageDelta(delta=end, usage=_usage(self._usage))
            yield MessageStop()

    def last_chunks(self) -> Sequence[Event]:
        """None: the last delta has said all."""
        return ()

    def _start(self) -> Event:
        usage = _usage(self._usage)
        return MessageStart(
            message=MessageAnswer(
                **self._head, content=[], stop_reason=None, stop_sequence=None, usage=usage
            )
        )

    def _events(self, piece: Piece) -> Iterator[Event]:
        match piece:
            case TextPiece():
                if self._open is not TextContent:
                    yield from self._begin(TextContent(text=""))
                yield self._gain(TextGain(text=piece.text))
            case CallBegun():
                yield from self._begin(
                    ToolUseContent(id=ID_PREFIX + piece.id, name=piece.name, input={})
                )
            case _:
                yield self._gain(InputGain(partial_json=piece.text))

    def _begin(self, block: Content) -> Iterator[Event]:
        yield from self._close()
        self._open = type(block)
        yield BlockStart(index=self._num_blocks, content_block=block)
        self._num_blocks += 1

    def _gain(self, gain: TextGain | InputGain) -> Event:
        return BlockDelta(index=self._num_blocks - 1, delta=gain)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield BlockStop(index=self._num_blocks - 1)
            self._open = None


def _usage(counter: UsageCounter) -> MessageUsage:
    usage = counter.so_far()
    num_cached = usage.prompt_tokens_details.cached_tokens
    return MessageUsage(
        input_tokens=usage.prompt_tokens - num_cached,
        cache_read_input_tokens=num_cached,
        output_tokens=usage.completion_tokens,
    )


def _stop_reason(delta: TextDelta, *, has_called: bool) -> MessageStopReason:
    if delta.finish_reason == "length":
        return "max_tokens"
    if _stop_sequence(delta) is not None:
        return "stop_sequence"
    return "tool_use" if has_called else "end_turn"


def _stop_sequence(delta: TextDelta) -> str | None:
    return delta.stop_reason if isinstance(delta.stop_reason, str) else None
