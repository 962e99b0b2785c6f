"""JSON types of ``/v1/models``."""

from typing import Literal

from pydantic import BaseModel


class Model(BaseModel):
    """A served model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["sterna"] = "sterna"
    max_model_len: int  # tokens, prompt and output; the name that vLLM gave it


class ModelList(BaseModel):
    """All served models: one, under each of its names."""

    object: Literal["list"] = "list"
    data: list[Model]
