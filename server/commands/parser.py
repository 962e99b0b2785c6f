"""Command lines whose commands are imported when they are asked for.

Each tells by itself which arguments are unknown to it, and what may have been meant.
"""

import gc
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any


class CommandParser(ArgumentParser):
    """As argparse's, whose subcommands leave the complaint, and the usage, to the command."""

    module: str | None = None  # whose ``add_arguments`` describes the arguments, if not done yet

    def parse_known_args(  # type: ignore[override]  # of the overloads, none is needed
        self,
        args: Sequence[str] | None = None,
        namespace: Any = None,  # noqa: ANN401 (as there)
    ) -> tuple[Any, list[str]]:
        """Parse, and end the process with code 2 if something is left over."""
        if self.module is not None:
            _load(self.module).add_arguments(self)
            self.module = None
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


def _load(module: str) -> ModuleType:
    """Import without garbage collections, which would take a seventh of the time in vain."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.enable()


def add_commands(
    commands: "_SubParsersAction[CommandParser]", texts: Mapping[str, str], prefix: str = ""
) -> None:
    """Add a command for each name, with its help; ``prefix + name`` is its module, beside this.

    The module's ``add_arguments`` sets what to ``run``.
    """
    for name, text in texts.items():
        parser = commands.add_parser(name, help=text)
        parser.module = f"{__package__}.{prefix}{name}"
