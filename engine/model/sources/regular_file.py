"""Reading files from others: pipes, devices and endless files are errors rather than hangs."""

import os
import stat
from errno import EFBIG, EINVAL, EISDIR
from pathlib import Path
from typing import BinaryIO, Final

MAX_BYTES: Final = 128 << 20  # of a file that is read whole; large tokenizers have 40 MB


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for any other kind of file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # never waits
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise OSError(EISDIR, os.strerror(EISDIR), str(path))
    raise OSError(EINVAL, "not a regular file", str(path))


def read_regular(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a whole regular file. Raises OSError, also where it has more than ``max_bytes``."""
    with open_regular(path) as file:
        is_large = os.fstat(file.fileno()).st_size > max_bytes
        data = b"" if is_large else file.read(max_bytes + 1)
    if is_large or len(data) > max_bytes:
        raise OSError(EFBIG, f"larger than {max_bytes} bytes", str(path))
    return data
