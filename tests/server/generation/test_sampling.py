"""What a request leaves open comes from the checkpoint, else it is OpenAI's default."""

import json
from pathlib import Path
from typing import Any

import pytest

from sterna.engine import CheckpointError, SamplingParams
from sterna.server.generation.sampling import SamplingDefaults
from sterna.server.schemas.common import SamplingFields
from sterna.server.text.checkpoint_text import FolderText


def fields(**values: Any) -> SamplingFields:
    return SamplingFields.model_validate({"model": "m"} | values)


def load(folder: Path, content: object) -> SamplingDefaults:
    (folder / "generation_config.json").write_text(json.dumps(content))
    return SamplingDefaults.load(FolderText(folder))


def test_without_a_generation_config(tmp_path: Path) -> None:
    assert SamplingDefaults.load(FolderText(tmp_path)).apply(fields(), 5) == SamplingParams(
        5, 1.0, 1.0, 0, 0.0
    )


def test_the_checkpoint_says_what_the_request_does_not(tmp_path: Path) -> None:
    defaults = load(tmp_path, {"temperature": 0.6, "top_p": 0.9, "top_k": 50, "eos_token_id": 3})
    assert defaults.apply(fields(), 5) == SamplingParams(5, 0.6, 0.9, 50)
    asked = fields(temperature=0, top_k=-1, top_p=1.0)
    assert defaults.apply(asked, 5) == SamplingParams(5, 0.0, 1.0, 0)


def test_what_single_precision_cannot_hold_is_greedy(tmp_path: Path) -> None:
    params = SamplingDefaults.load(FolderText(tmp_path)).apply(
        fields(temperature=1e-40, top_p=1e-300), 5
    )
    assert params.temperature == 0
    assert params.top_p > 1e-6


def test_null_is_not_a_default(tmp_path: Path) -> None:
    assert load(tmp_path, {"temperature": None, "top_k": None}) == SamplingDefaults()


@pytest.mark.parametrize(
    "content", [{"temperature": "hot"}, {"top_k": 1.5}, {"min_p": True}, {"max_new_tokens": 0}]
)
def test_a_default_that_is_no_number_is_named(tmp_path: Path, content: dict[str, object]) -> None:
    [(name, value)] = content.items()
    with pytest.raises(CheckpointError, match=f"json: {name}: found {json.dumps(value)}, expected"):
        load(tmp_path, content)


@pytest.mark.parametrize("content", [{"temperature": -1}, {"top_p": 7}, {"top_k": "x"}, []])
def test_a_generation_config_out_of_range_is_one_line(tmp_path: Path, content: object) -> None:
    with pytest.raises(CheckpointError, match=r"generation_config\.json") as caught:
        load(tmp_path, content)
    assert "\n" not in str(caught.value)
