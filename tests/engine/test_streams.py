import pytest

from sterna.engine.errors import ConstraintError, EngineDeadError, RequestError
from sterna.engine.requests.outputs import RequestFailed, TokenOutput
from sterna.engine.requests.request import FinishReason
from sterna.engine.streams import Stream, Streams


def output(request_id: str, finish_reason: FinishReason | None = None) -> TokenOutput:
    return TokenOutput(request_id, 5, -0.5, 0, finish_reason)


def drain(stream: Stream) -> list[object]:
    return [stream.get_nowait() for _ in range(stream.qsize())]


def test_each_reader_gets_its_own_outputs() -> None:
    streams = Streams()
    a, b = streams.open("a"), streams.open("b")
    streams.dispatch([output("a"), output("b")])
    streams.dispatch([output("a", FinishReason.STOP)])
    assert drain(a) == [output("a"), output("a", FinishReason.STOP)]
    assert drain(b) == [output("b")]


def test_stream_is_open_until_its_last_output() -> None:
    streams = Streams()
    a, b, c = streams.open("a"), streams.open("b"), streams.open("c")
    failure = ConstraintError("no token is left")
    streams.dispatch([output("a", FinishReason.LENGTH), RequestFailed("b", failure), output("c")])
    assert not streams.close("a", a)
    assert not streams.close("b", b)
    assert streams.close("c", c)
    assert drain(b) == [failure]


def test_outputs_of_a_closed_stream_are_dropped() -> None:
    streams = Streams()
    stream = streams.open("a")
    streams.close("a", stream)
    streams.dispatch([output("a")])
    assert drain(stream) == []


def test_late_close_leaves_the_next_stream_of_the_same_id_open() -> None:
    """Both are empty: they differ in identity alone."""
    streams = Streams()
    old = streams.open("a")
    streams.dispatch([output("a", FinishReason.STOP)])
    drain(old)
    new = streams.open("a")
    assert not streams.close("a", old)
    streams.dispatch([output("a")])
    assert drain(new) == [output("a")]


def test_id_can_be_open_only_once() -> None:
    streams = Streams()
    streams.open("a")
    with pytest.raises(RequestError, match="request id 'a' is in use"):
        streams.open("a")


def test_death_reaches_every_open_stream() -> None:
    streams = Streams()
    a, b = streams.open("a"), streams.open("b")
    streams.fail_all("boom")
    errors = drain(a) + drain(b)
    assert [type(error) for error in errors] == [EngineDeadError, EngineDeadError]
    assert not streams.close("a", a)
