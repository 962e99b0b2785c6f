"""Finds the end of a JSON object that comes in pieces, such as a call's arguments."""


class ObjectScanner:
    """Finds the end of a valid JSON object that comes in pieces."""

    def __init__(self) -> None:
        self.is_complete = False
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def take(self, text: str) -> int:
        """Return how many of these characters belong to the object."""
        for position, character in enumerate(text):
            self._read(character)
            if self.is_complete:
                return position + 1
        return len(text)

    def _read(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == '"':
            self._in_string = not self._in_string
        elif self._in_string:
            self._is_escaped = character == "\\"
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            self.is_complete = self._depth == 0
