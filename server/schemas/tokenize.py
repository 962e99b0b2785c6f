"""JSON types of ``/tokenize`` and ``/detokenize``: vLLM's, and llama-server's ``content``."""

from typing import ClassVar

from pydantic import BaseModel

from sterna.server.schemas.body import Body, Items, Neutral, Text
from sterna.server.schemas.chat_messages import Messages


class TokenizeRequest(Body):
    """Text to tokenize: ``prompt``, ``content`` or ``messages``."""

    neutral: ClassVar[Neutral] = {
        "chat_template": (),
        "chat_template_kwargs": ({},),
        "continue_final_message": (False,),
        "tools": ([],),
        "parse_special": (True,),
        "with_pieces": (False,),
    }

    model: str | None = None
    prompt: Text | None = None
    content: Text | None = None
    messages: Messages | None = None
    add_special_tokens: bool | None = None
    add_special: bool | None = None
    add_generation_prompt: bool | None = None
    return_token_strs: bool | None = None

    @property
    def adds_special_tokens(self) -> bool:
        """Whether the tokenizer adds its special tokens; the default depends on the field."""
        if self.add_special_tokens is not None:
            return self.add_special_tokens
        if self.add_special is not None:
            return self.add_special
        return self.prompt is not None


class TokenizeResponse(BaseModel):
    """The tokens of a text."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None


class DetokenizeRequest(Body):
    """Tokens to convert to text."""

    model: str | None = None
    tokens: Items[int]


class DetokenizeResponse(BaseModel):
    """The text of the tokens; special tokens are shown by name."""

    prompt: str
