"""The subcommands of ``sterna``: each file adds its parser and runs it."""
