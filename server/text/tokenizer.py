"""Text -> token ids with the checkpoint's own tokenizer, and back.

Blocking, and slow for long texts: the routes call ``encode`` in a thread.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer as Encoder

from sterna.engine import CheckpointError
from sterna.server.errors import InvalidRequestError
from sterna.server.text.chat_template import ChatTemplate, Message
from sterna.server.text.checkpoint_text import CheckpointText
from sterna.server.text.vocabulary import Vocabulary
from sterna.server.tools.use import Tool


class Tokenizer:
    """The tokenizer and the chat template of one checkpoint. Safe to use from several threads."""

    def __init__(
        self, encoder: Encoder, template: ChatTemplate | None, bos_token: str | None
    ) -> None:
        encoder.no_truncation()  # a tokenizer.json may ask for both; neither is for serving
        encoder.no_padding()
        self._encoder = encoder
        self.vocabulary = Vocabulary(encoder)
        self._template = template
        self._bos_token = bos_token

    @classmethod
    def load(cls, text: CheckpointText) -> "Tokenizer":
        """Read the tokenizer and the chat templates of a checkpoint. Raises CheckpointError."""
        definition = text.tokenizer_json()
        try:
            encoder = Encoder.from_str(definition)
        except Exception as error:  # tokenizers raises bare Exception
            place, reason = text.place_of("tokenizer"), str(error).partition("\n")[0]
            raise CheckpointError(f"{place}: not a tokenizer: {reason}") from None
        return cls(encoder, ChatTemplate.load(text), text.special_tokens().get("bos_token"))

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Ids of a prompt, with the special tokens that the tokenizer adds, such as one bos."""
        has_bos = self._bos_token is not None and text.startswith(self._bos_token)
        # Without offsets: three times as fast on a long text, and it keeps the GIL less.
        (encoding,) = self._encoder.encode_batch_fast(
            [text], add_special_tokens=add_special_tokens and not has_bos
        )
        ids: list[int] = encoding.ids
        return ids

    def encode_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        *,
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """Ids of a conversation, as ``render_chat`` writes it. Raises InvalidRequestError."""
        text = self.render_chat(messages, tools, add_generation_prompt=add_generation_prompt)
        return self.encode(text, add_special_tokens=False)

    def render_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        """The text of a conversation, to be encoded with no special tokens but those it names.

        tools: what the model is shown.
        add_generation_prompt: end where the assistant speaks. Raises InvalidRequestError.
        """
        if self._template is None:
            message = "This model has no chat template; use /v1/completions."
            raise InvalidRequestError(message, param="messages", code="no_chat_template")
        return self._template.render(messages, tools, add_generation_prompt=add_generation_prompt)

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = True) -> str:
        """Text of ids; incomplete UTF-8 becomes U+FFFD, ids that are no token nothing."""
        return str(self._encoder.decode(token_ids, skip_special_tokens=skip_special_tokens))
