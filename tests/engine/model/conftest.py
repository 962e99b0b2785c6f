from pathlib import Path

import pytest

from tests.engine.model.editable import EditableCheckpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> EditableCheckpoint:
    return EditableCheckpoint.make(tmp_path / "model")
