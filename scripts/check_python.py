"""Says in one line what this Python lacks to set Sterna up with. Runs on any Python 3."""

import importlib.util
import pathlib
import sys
import sysconfig

header = pathlib.Path(sysconfig.get_path("include")) / "Python.h"
if sys.version_info < (3, 11):  # noqa: UP036 (it is an older Python that must read this)
    sys.exit(f"{sys.executable} is too old: Python 3.11 or newer is needed (make PYTHON=...)")
if importlib.util.find_spec("ensurepip") is None:
    sys.exit(f"{sys.executable} cannot make virtual environments: on Debian, install python3-venv")
if not header.exists():
    sys.exit(f"{header} is missing: on Debian, install python3-dev")
