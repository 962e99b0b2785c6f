"""Tells by itself which arguments are unknown to a command, and what may have been meant."""

from argparse import ArgumentParser
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any


class CommandParser(ArgumentParser):
    """As argparse's, whose subcommands leave the complaint, and the usage, to the command."""

    def parse_known_args(  # type: ignore[override]  # of the overloads, none is needed
        self,
        args: Sequence[str] | None = None,
        namespace: Any = None,  # noqa: ANN401 (as there)
    ) -> tuple[Any, list[str]]:
        """Parse, and end the process with code 2 if something is left over."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._hint(unknown)}")
        return parsed, unknown

    def _hint(self, unknown: Sequence[str]) -> str:
        names = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
        meant = [
            m for name in names for m in get_close_matches(name, self._option_string_actions, 1)
        ]
        return f" (did you mean {' '.join(meant)}?)" if meant else ""
