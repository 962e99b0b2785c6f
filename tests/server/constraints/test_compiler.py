"""Compiling has limits: what exceeds them is a 400 for its own request, and nothing to others."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sterna.engine import Constraint
from sterna.server.constraints.compiler import CompileLimits, ConstraintCompiler
from sterna.server.constraints.grammars import ConstraintSpec, JsonSchema, Regex
from sterna.server.errors import InvalidRequestError
from tests.server.scripted import SPECIAL, VOCAB_SIZE, make_folder

LIMIT_BYTES = 64 << 10


def make_compiler(
    folder: Path, max_bytes: int = LIMIT_BYTES, seconds: float = 60.0
) -> ConstraintCompiler:
    path = make_folder(folder) / "tokenizer.json"
    ends = {SPECIAL.end_of_text, SPECIAL.end_of_turn}
    return ConstraintCompiler(path.read_text, VOCAB_SIZE, ends, CompileLimits(max_bytes, seconds))


@pytest.fixture
async def compiler(tmp_path: Path) -> AsyncIterator[ConstraintCompiler]:
    compiler = make_compiler(tmp_path)
    yield compiler
    compiler.stop()


async def refusal(compiler: ConstraintCompiler, spec: ConstraintSpec) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        await compiler.compile(spec, "structured_outputs.regex")
    assert caught.value.param == "structured_outputs.regex"
    assert "\n" not in caught.value.message
    return caught.value.message


async def test_the_tokenizer_is_read_when_the_first_one_comes(tmp_path: Path) -> None:
    """With a large vocabulary it takes a hundred megabytes that many servers never need."""
    read: list[str] = []

    def tokenizer_json() -> str:
        read.append((make_folder(tmp_path) / "tokenizer.json").read_text())
        return read[-1]

    limits = CompileLimits(LIMIT_BYTES, 60.0)
    compiler = ConstraintCompiler(tokenizer_json, VOCAB_SIZE, {SPECIAL.end_of_text}, limits)
    assert not read
    for spec in (JsonSchema(), Regex("a")):
        await compiler.compile(spec, "response_format")
    assert len(read) == 1
    compiler.stop()


async def test_a_good_one_is_compiled(compiler: ConstraintCompiler) -> None:
    constraint: Constraint = await compiler.compile(JsonSchema(), "response_format")
    assert not constraint.start().is_finished


async def test_one_that_comes_again_is_found(compiler: ConstraintCompiler) -> None:
    first = await compiler.compile(JsonSchema({"type": "string"}), "response_format")
    again = await compiler.compile(JsonSchema({"type": "string"}), "structured_outputs.json")
    assert again is first


async def test_a_bad_one_is_refused_with_the_reason(compiler: ConstraintCompiler) -> None:
    assert "unclosed group" in await refusal(compiler, Regex("a("))


async def test_one_that_allows_no_text_is_refused(compiler: ConstraintCompiler) -> None:
    assert "no text" in await refusal(compiler, Regex("[a&&b]"))


async def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    compiler = make_compiler(tmp_path, max_bytes=1024)
    assert "1024" in await refusal(compiler, JsonSchema({"enum": ["x" * 1024]}))
    compiler.stop()


async def test_one_that_grows_is_refused(compiler: ConstraintCompiler) -> None:
    await refusal(compiler, Regex("((a{1000}){1000}){1000}"))


def chain(num_links: int) -> JsonSchema:
    """Objects in objects, not nested but by reference."""
    links = {
        str(i): {"properties": {"a": {"$ref": f"#/$defs/{i + 1}"}}, "required": ["a"]}
        for i in range(num_links)
    }
    return JsonSchema({"$ref": "#/$defs/0", "$defs": links | {str(num_links): {}}})


async def test_a_long_chain_is_followed_to_its_end(tmp_path: Path) -> None:
    """On a thread's usual stack it would end the process."""
    compiler = make_compiler(tmp_path, max_bytes=4 * LIMIT_BYTES)
    assert await compiler.compile(chain(2600), "response_format")
    compiler.stop()


async def test_one_that_takes_too_long_is_refused_and_others_go_on(
    compiler: ConstraintCompiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = make_compiler(tmp_path, seconds=0.05)
    release = threading.Event()
    monkeypatch.setattr(Regex, "text", lambda self: release.wait() and "")
    assert "0.05 seconds" in await refusal(slow, Regex("slow"))
    slow._limits = CompileLimits(LIMIT_BYTES, 60.0)  # one thread is still at it, the other free
    await slow.compile(JsonSchema(), "response_format")
    release.set()
    slow.stop()


async def test_a_storm_of_bad_ones_leaves_a_good_one_its_turn(compiler: ConstraintCompiler) -> None:
    bad = [refusal(compiler, Regex(f"((a{{1000}}){{1000}}){{{i}}}(")) for i in range(50)]
    good = compiler.compile(JsonSchema(), "response_format")
    *_, constraint = await asyncio.gather(*bad, good)
    assert constraint is not None


async def test_a_tokenizer_that_cannot_be_used_is_said_to_each_request(tmp_path: Path) -> None:
    compiler = make_compiler(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert await refusal(compiler, Regex("a"))
    compiler.stop()
