"""The file is written once and whole; anything else under its name is noticed and replaced."""

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path

import numpy as np
import pytest

from sterna.engine.model.packed_cache import Array, PackedCache, Store

SHAPES = {
    "codes": ("uint8", (3, 5, 64)),
    "scales": ("float32", (7,)),
    "empty": ("float32", (0,)),
    "norm": ("float32", (3, 2)),
}
SOURCE = [["config.json", 123, 456, "abc"]]


class Filler:
    """Makes the arrays and counts how often; may be told to fail before the last."""

    def __init__(self, value: int = 1, error: BaseException | None = None) -> None:
        self.value, self.error, self.num_fills = value, error, 0

    def array(self, name: str) -> Array:
        dtype, shape = SHAPES[name]
        return (np.arange(prod(shape)).reshape(shape) + self.value).astype(dtype)

    def __call__(self, store: Store) -> None:
        self.num_fills += 1
        for name in SHAPES:
            if self.error is not None and name == "norm":
                raise self.error
            store(name, self.array(name))

    def check(self, arrays: dict[str, Array]) -> None:
        assert arrays.keys() == SHAPES.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, self.array(name), name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "sterna" / "model"


def state(file: Path) -> tuple[int, int]:
    return file.stat().st_ino, file.stat().st_mtime_ns


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_second_start_maps_what_the_first_wrote(file: Path) -> None:
    filler = Filler()
    filler.check(PackedCache(file, SOURCE, SHAPES).arrays(filler))
    before = state(file)
    filler.check(PackedCache(file, SOURCE, SHAPES).arrays(filler))
    assert filler.num_fills == 1
    assert state(file) == before
    assert names(file.parent) == ["model"]


def test_arrays_are_aligned_in_memory(file: Path) -> None:
    arrays = PackedCache(file, SOURCE, SHAPES).arrays(Filler())
    assert all(array.ctypes.data % 64 == 0 for array in arrays.values())


def test_file_cannot_be_changed_through_the_arrays(file: Path) -> None:
    PackedCache(file, SOURCE, SHAPES).arrays(Filler())
    with pytest.raises(ValueError, match="read-only"):
        PackedCache(file, SOURCE, SHAPES).arrays(Filler())["norm"].fill(0)


def test_another_source_replaces_the_file(file: Path) -> None:
    PackedCache(file, SOURCE, SHAPES).arrays(Filler(value=1))
    changed = Filler(value=2)
    changed.check(PackedCache(file, [["config.json", 123, 457, "abc"]], SHAPES).arrays(changed))
    assert changed.num_fills == 1


def test_other_shapes_replace_the_file(file: Path) -> None:
    PackedCache(file, SOURCE, SHAPES | {"norm": ("float32", (2, 3))}).arrays(Filler())
    filler = Filler()
    filler.check(PackedCache(file, SOURCE, SHAPES).arrays(filler))
    assert filler.num_fills == 1


DAMAGES = {
    "empty": (slice(None), b""),
    "cut short": (slice(-64, None), b""),
    "cut in the header": (slice(10, None), b""),
    "longer": (slice(-1, None), b"12"),
    "another format": (slice(0, 38), b'{"format": "sterna packed weights 0", '),
    "zeros, as after a power failure": (slice(0, 4096), bytes(4096)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_replaced(file: Path, damage: str) -> None:
    where, what = DAMAGES[damage]
    PackedCache(file, SOURCE, SHAPES).arrays(Filler())
    content = bytearray(file.read_bytes())
    content[where] = what
    file.write_bytes(content)
    filler = Filler()
    filler.check(PackedCache(file, SOURCE, SHAPES).arrays(filler))
    assert filler.num_fills == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no such luck")])
def test_interrupted_write_leaves_nothing(file: Path, error: BaseException) -> None:
    cache = PackedCache(file, SOURCE, SHAPES)
    with pytest.raises(type(error)):
        cache.arrays(Filler(error=error))
    assert names(file.parent) == []
    filler = Filler()
    filler.check(cache.arrays(filler))
    assert filler.num_fills == 1


def test_interrupted_rewrite_keeps_the_old_file(file: Path) -> None:
    PackedCache(file, SOURCE, SHAPES).arrays(Filler())
    before = state(file)
    with pytest.raises(KeyboardInterrupt):
        PackedCache(file, "changed", SHAPES).arrays(Filler(error=KeyboardInterrupt()))
    assert state(file) == before
    assert names(file.parent) == ["model"]


def test_killed_writer_leaves_nothing_that_is_served(file: Path) -> None:
    """A process that ends in the middle of writing, without any chance to clean up."""
    script = f"""
import os
import numpy as np
from pathlib import Path
from sterna.engine.model.packed_cache import PackedCache
shapes = {SHAPES}
def fill(store):
    store("codes", np.zeros((3, 5, 64), np.uint8))
    os._exit(9)
PackedCache(Path({str(file)!r}), {SOURCE}, shapes).arrays(fill)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert len(names(file.parent)) == 1  # the temporary file: the name of the true one is free
    filler = Filler()
    filler.check(PackedCache(file, SOURCE, SHAPES).arrays(filler))
    assert filler.num_fills == 1


def test_leftovers_of_killed_writers_are_removed(file: Path) -> None:
    file.parent.mkdir(parents=True)
    old, young = (file.with_name(f"model.{name}.tmp") for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    PackedCache(file, SOURCE, SHAPES).arrays(Filler())
    assert names(file.parent) == ["model", "model.young.tmp"]


def test_name_appears_when_every_byte_is_on_disk(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the content is made to last, then the file gets its name, then that is."""
    synced: list[tuple[str, bytes | None, bool]] = []

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        content = path.read_bytes() if path.is_file() else None
        synced.append((path.suffix or path.name, content, file.exists()))

    monkeypatch.setattr(os, "fsync", note)
    PackedCache(file, SOURCE, SHAPES).arrays(Filler())
    assert synced == [(".tmp", file.read_bytes(), False), (file.parent.name, None, True)]


def test_unwritable_folder_packs_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").touch()
    filler = Filler()
    with caplog.at_level(logging.WARNING):
        arrays = PackedCache(tmp_path / "cache" / "model", SOURCE, SHAPES).arrays(filler)
    filler.check(arrays)
    assert "could not be cached" in caplog.text
    assert all(array.ctypes.data % 64 == 0 for array in arrays.values())


def test_full_disk_packs_in_memory(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    filler = Filler(error=OSError(28, "No space left on device"))

    def fill(store: Store) -> None:
        try:
            filler(store)
        finally:
            filler.error = None  # the second time goes well

    filler.check(PackedCache(file, SOURCE, SHAPES).arrays(fill))
    assert "No space left on device" in caplog.text
    assert names(file.parent) == []


def test_writers_at_the_same_time_do_not_disturb_each_other(file: Path) -> None:
    fillers = [Filler() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda f: PackedCache(file, SOURCE, SHAPES).arrays(f), fillers))
    for filler, arrays in zip(fillers, results, strict=True):
        filler.check(arrays)
    assert names(file.parent) == ["model"]
