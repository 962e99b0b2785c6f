"""Options of commands, made of the settings."""

from argparse import ArgumentParser, _ArgumentGroup

from sterna.server.settings import Settings, option, variable


def add_option(parser: ArgumentParser | _ArgumentGroup, name: str) -> None:
    """Make an option of one setting; the settings themselves check the value."""
    parser.add_argument(option(name), metavar="VALUE", help=help_text(name))


def help_text(name: str) -> str:
    """What a setting is, its default, and its variable."""
    field = Settings.model_fields[name]
    default = "" if field.default in (None, ()) or field.default_factory else field.default
    default = str(default).lower() if isinstance(default, bool) else default
    shown = f" (default: {default})" if default != "" else ""
    return f"{field.description}{shown} [{variable(name)}]"
