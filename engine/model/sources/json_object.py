"""A JSON object from a checkpoint whose fields are read with their types checked.

Every complaint is a CheckpointError of one line: file, key, what was found, what was expected.
A key that holds null counts as absent, as it does for transformers.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from sterna.engine.errors import CheckpointError
from sterna.engine.model.sources.regular_file import read_regular

MAX_INTEGER = 2**31 - 1  # of a size; the kernels count in 32 bits
_MAX_SHOWN = 60  # characters of a found value


@dataclass(frozen=True, slots=True)
class JsonObject:
    """The fields of one JSON object and the name to give it in messages.

    where: the file, followed by the key that holds the object when it is a nested one.
    """

    where: str
    fields: dict[str, Any]

    @classmethod
    def read(cls, file: Path) -> "JsonObject":
        """Read a file that holds one object; raises CheckpointError where there is none."""
        try:
            return cls(str(file), parse_object(read_regular(file)))
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise CheckpointError(
                f"{file}: found {one_line(error)}, expected a JSON object"
            ) from error

    def error(self, key: str, expected: str) -> CheckpointError:
        """Return the complaint that ``key`` does not hold what is expected."""
        found = shown(self.fields[key]) if key in self.fields else "nothing"
        return CheckpointError(f"{self.where}: {key}: found {found}, expected {expected}")

    def has(self, key: str) -> bool:
        """Tell whether the key holds anything but null."""
        return self.fields.get(key) is not None

    def integer(self, key: str, *, minimum: int = 1, default: int | None = None) -> int:
        """Return an integer, ``minimum`` or more; without a default the key is required."""
        if default is not None and not self.has(key):
            return default
        value = self.fields.get(key)
        if not _is_integer(value) or not minimum <= value <= MAX_INTEGER:
            raise self.error(key, f"an integer from {minimum} to {MAX_INTEGER}")
        return value

    def positive_number(self, key: str, *, default: float | None = None) -> float:
        """Return a finite number above zero; without a default the key is required."""
        if default is not None and not self.has(key):
            return default
        value = self.fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
            raise self.error(key, "a finite number above 0")
        return float(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.fields[key] if self.has(key) else default
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def choice(self, key: str, choices: tuple[str, ...], *, default: str) -> str:
        """Return one of the given words."""
        value = self.fields[key] if self.has(key) else default
        if value not in choices:
            raise self.error(key, " or ".join(json.dumps(choice) for choice in choices))
        return str(value)

    def strings(self, key: str) -> list[str] | None:
        """Return a list of strings, or None where the key is absent."""
        if not self.has(key):
            return None
        value = self.fields[key]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "a list of strings")
        return list(value)

    def token_ids(self, key: str) -> list[int]:
        """Return the ids under a key that may hold one id, a list of ids, or nothing."""
        if not self.has(key):
            return []
        value = self.fields[key]
        ids = value if isinstance(value, list) else [value]
        if not all(_is_integer(item) and item >= 0 for item in ids):
            raise self.error(key, "a token id or a list of token ids")
        return list(ids)

    def object(self, key: str) -> "JsonObject | None":
        """Return the object under a key, or None where the key is absent."""
        if not self.has(key):
            return None
        value = self.fields[key]
        if not isinstance(value, dict):
            raise self.error(key, "an object")
        return JsonObject(f"{self.where}: {key}", value)


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the object that the text holds; raises ValueError where it is anything else."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, bottomless nesting
        raise ValueError(f"invalid JSON ({one_line(error)})") from error
    if not isinstance(fields, dict):
        raise ValueError(shown(fields))
    return fields


def shown(value: object) -> str:
    """Return a value as JSON on one line, shortened where it is long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def one_line(error: Exception) -> str:
    """Return the message of an error with its line breaks taken out."""
    return " ".join(str(error).split())


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
