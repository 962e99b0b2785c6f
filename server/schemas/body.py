"""The base of every JSON body: known fields, strict types, values that mean "off".

A field is honoured, inert because it can never change the output, or refused by name; none is
accepted and then ignored. An unsupported field may still be sent with the value that means "off".
"""

import json
from functools import cache
from itertools import islice
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")
Neutral = dict[str, tuple[object, ...]]


def is_unicode(text: str) -> bool:
    """Return whether the text has no lone surrogates, which no tokenizer accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_unicode(text: str) -> str:
    if not is_unicode(text):
        raise ValueError("must not contain lone surrogates")
    return text


def _is_same(a: object, b: object) -> bool:
    """Return whether two JSON values are equal; in Python, False == 0 and True == 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _check_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    _check_unicode(text)
    return value


Text = Annotated[str, AfterValidator(_check_unicode)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_check_json)]  # that can be written as text
# Checked up to the first item that is wrong: a megabyte of them would take seconds to describe.
Items = Annotated[list[T], Field(fail_fast=True)]


class Body(BaseModel):
    """A JSON object with known fields and strict types ("1" is not a number)."""

    model_config = ConfigDict(strict=True, extra="forbid")

    neutral: ClassVar[Neutral] = {}
    """Fields that are not supported, with the values, beside null, that leave them off."""

    inert: ClassVar[frozenset[str]] = frozenset()
    """Fields that are accepted and say nothing about the output."""

    @model_validator(mode="before")
    @classmethod
    def _drop_what_is_off(cls, data: Any) -> Any:  # noqa: ANN401 (any JSON)
        """Drop fields that are off; keep one unknown field, enough to refuse the body."""
        names = cls._names()
        if not isinstance(data, dict) or data.keys() <= names:
            return data
        unknown = (k for k, v in data.items() if k not in names and not cls._is_off(k, v))
        kept = names | set(islice(unknown, 1))
        return {name: value for name, value in data.items() if name in kept}

    @classmethod
    @cache
    def _names(cls) -> frozenset[str]:
        return frozenset(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    def _is_off(cls, name: str, value: object) -> bool:
        if name not in cls.neutral:
            return False
        return value is None or any(_is_same(value, off) for off in cls.neutral[name])
