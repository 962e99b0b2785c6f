"""Command lines whose commands are imported when they are called.

Errors and help come from the subcommand that was called.
"""

import gc
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any


class CommandParser(ArgumentParser):
    """Like argparse's, but each subcommand reports its own unknown arguments with its own usage.

    A command that has subcommands shows its help when it is called without arguments.
    """

    module: str | None = None  # whose ``add_arguments`` has yet to be called

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as argparse's)
        super().__init__(*args, **{"formatter_class": RawDescriptionHelpFormatter} | kwargs)

    def parse_known_args(  # type: ignore[override]  # of the overloads, one is enough
        self,
        args: Sequence[str] | None = None,
        namespace: Any = None,  # noqa: ANN401 (as argparse's)
    ) -> tuple[Any, list[str]]:
        """Parse; exit with code 2 if arguments are left over, and with 0 after the help."""
        if self.module is not None:
            _load(self.module).add_arguments(self)
            self.module = None
        arguments = sys.argv[1:] if args is None else list(args)
        if self._subparsers and not arguments:
            self.print_help()
            self.exit()
        parsed, unknown = super().parse_known_args(arguments, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._hint(unknown)}")
        return parsed, unknown

    def _hint(self, unknown: Sequence[str]) -> str:
        names = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
        for action in self._actions:
            if not action.option_strings and f"--{action.dest}" in names:
                return f" (pass {action.metavar} by itself: {self.prog} {action.metavar})"
        meant = [
            m for name in names for m in get_close_matches(name, self._option_string_actions, 1)
        ]
        return f" (did you mean {' '.join(meant)}?)" if meant else ""


def _load(module: str) -> ModuleType:
    """Import a module without garbage collections, which would take a seventh of the time."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.enable()


def add_commands(
    commands: "_SubParsersAction[CommandParser]", texts: Mapping[str, str], prefix: str = ""
) -> None:
    """Add a command for each name, with its help. Its module is ``prefix + name``, beside this one.

    The module's ``add_arguments`` sets the default of ``run``.
    """
    for name, text in texts.items():
        description = f"{text[0].upper()}{text[1:]}."
        parser = commands.add_parser(name, help=text, description=description)
        parser.module = f"{__package__}.{prefix}{name}"
