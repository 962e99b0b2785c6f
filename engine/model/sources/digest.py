"""A digest of a large file, from samples spread over it."""

import hashlib
import os
from pathlib import Path
from typing import Final

from sterna.engine.model.sources.regular_file import open_regular

_NUM_SAMPLES: Final = 256
_SAMPLE_BYTES: Final = 64 * 1024


def sampled_digest(path: Path) -> str:
    """Return a sha256 of samples spread over the file; of all of it where it is small.

    Two checkpoints of one shape may agree in size and, as packages are built, in time too.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        step = max(_SAMPLE_BYTES, num_bytes // _NUM_SAMPLES)
        for position in range(0, num_bytes, step):
            file.seek(position)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
