"""Files of one size are told apart: of a small file every byte counts, of a large one samples."""

from pathlib import Path

import pytest

from sterna.engine.model.sources.digest import sampled_digest


@pytest.mark.parametrize(("num_bytes", "changed"), [(2**20, slice(-1, None)), (2**25, slice(None))])
def test_digest_tells_data_apart(tmp_path: Path, num_bytes: int, changed: slice) -> None:
    content = bytearray(num_bytes)
    (tmp_path / "a").write_bytes(content)
    content[changed] = b"\1" * len(content[changed])
    (tmp_path / "b").write_bytes(content)
    assert sampled_digest(tmp_path / "a") != sampled_digest(tmp_path / "b")
