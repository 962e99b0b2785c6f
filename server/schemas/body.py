"""What every JSON body is made of: known fields, no guessed types, values that mean "off".

A whole number may be written as 4.0: JSON knows no other.

A field is honoured, or inert because it can never change the output, or refused with its name:
nothing is accepted and then ignored. A field that is not supported may still be sent with the
value that means "off".
"""

import json
from functools import cache
from itertools import islice
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")
Neutral = dict[str, tuple[object, ...]]


def is_unicode(text: str) -> bool:
    """False if the JSON escaped half a character: no tokenizer takes a lone surrogate."""
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
    """Whether two JSON values are equal; Python also takes false for 0, and true for 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _types_in(annotation: object) -> set[object]:
    """Every type that an annotation names."""
    return {annotation}.union(*map(_types_in, get_args(annotation)))


def as_whole(value: object) -> object:
    """A whole number, or a list of such, without the fraction that is nothing."""
    if isinstance(value, list):
        return list(map(as_whole, value)) if float in set(map(type, value)) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
    """A JSON object of which every field is known, and no type is guessed ("1" is no number)."""

    model_config = ConfigDict(strict=True, extra="forbid")

    neutral: ClassVar[Neutral] = {}
    """Fields that are not supported, with the values, beside null, that leave them off."""

    inert: ClassVar[frozenset[str]] = frozenset()
    """Fields that are accepted and say nothing about the output."""

    @model_validator(mode="before")
    @classmethod
    def _drop_what_is_off(cls, data: Any) -> Any:  # noqa: ANN401 (any JSON)
        """Of names that no field has, one is left: enough to refuse them all."""
        if not isinstance(data, dict):
            return data
        names = cls._names()
        if whole := cls._whole_names() & data.keys():
            data = data | {name: as_whole(data[name]) for name in whole}
        if data.keys() <= names:
            return data
        unknown = (k for k, v in data.items() if k not in names and not cls._is_off(k, v))
        kept = names | set(islice(unknown, 1))
        return {name: value for name, value in data.items() if name in kept}

    @classmethod
    @cache
    def _names(cls) -> frozenset[str]:
        return frozenset(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    @cache
    def _whole_names(cls) -> frozenset[str]:
        """Fields of whole numbers, or of lists of them."""
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        types = {name: _types_in(field.annotation) for name, field in fields.items()}
        return frozenset(name for name in types if int in types[name] and float not in types[name])

    @classmethod
    def _is_off(cls, name: str, value: object) -> bool:
        if name not in cls.neutral:
            return False
        return value is None or any(_is_same(value, off) for off in cls.neutral[name])
