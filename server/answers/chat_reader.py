"""What a sequence has said -> one choice of ``/v1/chat/completions``, whole or as it comes."""

from sterna.server.generation.text_delta import TextDelta
from sterna.server.schemas.chat_completions import (
    ArgumentsDelta,
    CallBegin,
    CallPiece,
    CallsDelta,
    ChatEndReason,
    ContentDelta,
    Delta,
    EndDelta,
    ResponseMessage,
    RoleDelta,
)
from sterna.server.schemas.tools import CalledFunction, ToolCall
from sterna.server.tools.parser import Call, CallBegun, Piece, TextPiece, ToolParser, fold
from sterna.server.tools.use import ToolUse

ID_PREFIX = "call_"


class ChatReader:
    """Reads one sequence, either in one piece (``message``) or as it comes (``read``)."""

    def __init__(self, use: ToolUse) -> None:
        self._use = use
        self._parser = ToolParser(use)
        self._has_begun = False

    def message(self, answer: TextDelta) -> ResponseMessage:
        """All of it. The content is null if there are only calls."""
        text, calls = fold(self._pieces(answer))
        return ResponseMessage(
            content=None if calls and not text else text,
            tool_calls=[_wire_call(call) for call in calls] or None,
        )

    def read(self, delta: TextDelta) -> list[Delta]:
        """What the delta adds, one for each chunk: first the role, then text and calls."""
        gained = [_wire_delta(piece) for piece in self._pieces(delta)]
        if delta.finish_reason and self._parser.num_calls:
            gained.append(EndDelta())
        elif not gained and (delta.tokens or delta.finish_reason):
            gained.append(ContentDelta())
        if not self._has_begun:
            self._has_begun = True
            gained.insert(0, RoleDelta())
        return gained

    def end_reason(self, delta: TextDelta) -> ChatEndReason | None:
        """As OpenAI: a call that the client has named is no news, so its end is a plain stop."""
        has_called = self._parser.num_calls > 0 and not self._parser.is_cut
        if delta.finish_reason == "stop" and has_called and not self._use.is_named:
            return "tool_calls"
        return delta.finish_reason

    def _pieces(self, delta: TextDelta) -> list[Piece]:
        pieces = self._parser.push(delta.text)
        return pieces + self._parser.finish() if delta.finish_reason else pieces


def _wire_call(call: Call) -> ToolCall:
    function = CalledFunction(name=call.name, arguments=call.arguments)
    return ToolCall(id=ID_PREFIX + call.id, function=function)


def _wire_delta(piece: Piece) -> Delta:
    match piece:
        case TextPiece():
            return ContentDelta(content=piece.text)
        case CallBegun():
            call = _wire_call(Call(piece.id, piece.name))
            return CallsDelta(tool_calls=[CallBegin(index=piece.index, **dict(call))])
        case _:
            gained = ArgumentsDelta(arguments=piece.text)
            return CallsDelta(tool_calls=[CallPiece(index=piece.index, function=gained)])
