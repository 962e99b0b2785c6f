"""A stock anthropic client against the real engine and the built-in model.

The client checks the shape of every response by itself (``_strict_response_validation``).
"""

from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic.types import MessageParam

from engine import AsyncEngine
from server.app import create_app
from server.checkpoint import BUILTIN_NAME, resolve
from server.commands.serve import engine_config
from server.sampling import SamplingDefaults
from server.settings import Settings
from server.tokenizer import Tokenizer
from tests.server.conftest import serve

GREEDY = {"temperature": 0}  # the client has no such argument any more
MESSAGES: list[MessageParam] = [{"role": "user", "content": "What is a river?"}]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    options = {"threads": 1, "kv_cache_tokens": 2048, "cache_dir": tmp_path_factory.mktemp("cache")}
    return resolve(Settings.load(options, environment={}))


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[anthropic.AsyncAnthropic]:
    config = engine_config(settings)
    engine, tokenizer = AsyncEngine.load(config), Tokenizer.load(config.model_path)
    app = create_app(settings, engine, tokenizer, SamplingDefaults())
    async with (
        serve(app) as url,
        anthropic.AsyncAnthropic(
            base_url=url, api_key="none", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        yield client


async def test_streamed_and_whole_are_the_same(client: anthropic.AsyncAnthropic) -> None:
    whole = await client.messages.create(
        model=BUILTIN_NAME, max_tokens=40, messages=MESSAGES, extra_body=GREEDY, system="Be brief."
    )
    async with client.messages.stream(
        model=BUILTIN_NAME, max_tokens=40, messages=MESSAGES, extra_body=GREEDY, system="Be brief."
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert whole.content[0].type == "text"
    assert whole.content[0].text == text
    assert [block.model_dump() for block in final.content] == [
        block.model_dump() for block in whole.content
    ]
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens
    prompts = [
        m.usage.input_tokens + (m.usage.cache_read_input_tokens or 0) for m in (whole, final)
    ]
    count = await client.messages.count_tokens(
        model=BUILTIN_NAME, messages=MESSAGES, system="Be brief."
    )
    assert prompts == [count.input_tokens] * 2


async def test_a_stop_sequence_is_named(client: anthropic.AsyncAnthropic) -> None:
    answer = await client.messages.create(
        model=BUILTIN_NAME,
        max_tokens=40,
        messages=MESSAGES,
        extra_body=GREEDY,
        stop_sequences=[" river"],
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", " river")


async def test_errors_are_the_client_s_own_types(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        await client.messages.create(model="other", max_tokens=9, messages=MESSAGES)
    assert missing.value.request_id
    with pytest.raises(anthropic.BadRequestError, match="context"):
        await client.messages.create(model=BUILTIN_NAME, max_tokens=9999, messages=MESSAGES)
