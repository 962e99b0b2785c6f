"""A digest of a large file, from samples spread over it."""

import hashlib
from pathlib import Path
from typing import Final

_NUM_SAMPLES: Final = 256
_SAMPLE_BYTES: Final = 64 * 1024


def sampled_digest(path: Path) -> str:
    """Return a sha256 of samples spread over the file; of all of it where it is small.

    Two checkpoints of one shape may agree in size and, as packages are built, in time too.
    """
    num_bytes = path.stat().st_size
    step = max(_SAMPLE_BYTES, num_bytes // _NUM_SAMPLES)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for position in range(0, num_bytes, step):
            file.seek(position)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
