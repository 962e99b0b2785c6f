"""``python -m sterna``: the command ``sterna``, also where its script is not on the path."""

import sys

from sterna.server.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
