"""The one name that Sterna claims where it is installed: ``sterna.server`` and ``sterna.engine``.

In the repository both are folders at the top; the links beside this file give them their full name.
"""
