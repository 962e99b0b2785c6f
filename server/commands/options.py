"""Options of commands, derived from the settings."""

from argparse import ArgumentParser, _ArgumentGroup

from sterna.server.settings import Settings, metavar, option, variable


def add_option(parser: ArgumentParser | _ArgumentGroup, name: str) -> None:
    """Add the option of one setting; ``Settings`` checks the value."""
    parser.add_argument(option(name), metavar=metavar(name), help=help_text(name))


def help_text(name: str) -> str:
    """Return the description of a setting, with its default and its variable."""
    field = Settings.model_fields[name]
    default = "" if field.default in (None, ()) or field.default_factory else field.default
    default = str(default).lower() if isinstance(default, bool) else default
    shown = f" (default: {default})" if default != "" else ""
    return f"{field.description}{shown} [{variable(name)}]"
