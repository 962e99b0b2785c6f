"""Chat with a running Sterna in the terminal, with the stock openai client.

    pip install openai
    python examples/chat_stream.py            # in another terminal: make serve

Type a message and press Enter; Ctrl-D ends the conversation.
"""

import os
from collections.abc import Iterator

from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

BASE_URL = os.environ.get("OPENAI_BASE_URL", "http://localhost:8000/v1")


def reply(client: OpenAI, model: str, messages: list[ChatCompletionMessageParam]) -> Iterator[str]:
    """Yield the pieces of the assistant's answer as they come."""
    stream = client.chat.completions.create(model=model, messages=messages, stream=True)
    for chunk in stream:
        for choice in chunk.choices:
            yield choice.delta.content or ""


def main() -> None:
    """Ask, answer, remember, until the user has had enough."""
    client = OpenAI(base_url=BASE_URL, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    model = client.models.list().data[0].id
    messages: list[ChatCompletionMessageParam] = []
    while True:
        try:
            text = input("> ")
        except EOFError:
            return
        messages.append({"role": "user", "content": text})
        pieces = []
        for piece in reply(client, model, messages):
            print(piece, end="", flush=True)
            pieces.append(piece)
        print()
        messages.append({"role": "assistant", "content": "".join(pieces)})


if __name__ == "__main__":
    main()
