import itertools
import json
from pathlib import Path

import pytest
import torch

from training import data
from training.checkpoint import load_best
from training.model import NetworkConfig
from training.train import Recipe, Run

TINY = NetworkConfig(
    vocab_size=320, hidden_size=32, mlp_size=48, num_layers=1, num_heads=2, num_kv_heads=1
)
RECIPE = Recipe(
    steps=6, batch_tokens=128, row_tokens=64, long_row_tokens=128, check_every=3, warmup_steps=2
)


def test_rate_warms_up_stays_and_falls_to_zero() -> None:
    recipe = Recipe(steps=100, warmup_steps=10, decay_share=0.5, learning_rate=1.0)
    rates = [recipe.rate_at(step) for step in (0, 9, 30, 50, 75, 100)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.5, 0.0])


def test_weights_decay_in_the_first_half_only() -> None:
    recipe = Recipe(steps=100)
    assert recipe.weight_decay_at(49) > 0.0 == recipe.weight_decay_at(50)


def test_rows_are_long_at_the_end() -> None:
    lengths = [Recipe(steps=100, long_share=0.25).row_tokens_at(step) for step in range(100)]
    groups = [(length, len(list(group))) for length, group in itertools.groupby(lengths)]
    assert groups == [(Recipe.row_tokens, 75), (Recipe.long_row_tokens, 25)]


@pytest.fixture
def few_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    chats = data.read()[:120]
    monkeypatch.setattr(data, "read", lambda: chats)


def run_in(folder: Path, steps: int) -> Run:
    torch.set_num_threads(1)
    run = Run(folder, RECIPE, TINY)
    with torch.compiler.set_stance("force_eager"):
        run.train(until=steps)
    return run


@pytest.mark.usefixtures("few_chats")
def test_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run_in(tmp_path / "whole", 6)
    run_in(tmp_path / "parts", 3)
    resumed = run_in(tmp_path / "parts", 6)
    assert resumed.tokens_seen == whole.tokens_seen == 6 * RECIPE.batch_tokens
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


@pytest.mark.usefixtures("few_chats")
def test_run_logs_its_progress_and_keeps_its_best_network(tmp_path: Path) -> None:
    run_in(tmp_path, 6)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [3, 6]
    _, progress = load_best(tmp_path / "best.pt")
    assert progress["held_out_loss"] == min(entry["held_out_loss"] for entry in log)
