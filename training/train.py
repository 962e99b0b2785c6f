"""Train the built-in model, or its full-precision twin. See README.md.

``python -m training.train --run training/runs/ternary`` starts, or resumes, a run. Its folder
holds ``last.pt`` (to resume), ``best.pt`` (lowest held-out loss), the tokenizer and ``log.jsonl``.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm

from training import checkpoint, data, tokenizer
from training.evaluate import mean_loss
from training.model import Network, NetworkConfig
from training.rows import Encoder, batches


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, beside the network's shape."""

    steps: int = 3600
    batch_tokens: int = 2048
    row_tokens: int = 256  # short rows are quicker; long ones at the end teach the full context
    long_row_tokens: int = 512
    long_share: float = 0.25
    learning_rate: float = 1.5e-3
    warmup_steps: int = 200
    decay_share: float = 0.4  # of all steps, at the end: the rate falls in a line to zero
    weight_decay: float = 0.1  # in the first half only, as the BitNet b1.58 papers do
    max_gradient: float = 1.0
    seed: int = 1
    check_every: int = 300

    def rate_at(self, step: int) -> float:
        """Learning rate of step ``step``: warm-up, plateau, decay."""
        decay_steps = self.decay_share * self.steps
        warm = (step + 1) / self.warmup_steps
        decay = (self.steps - step) / decay_steps
        return self.learning_rate * min(1.0, warm, decay)

    def row_tokens_at(self, step: int) -> int:
        """Length of the rows of step ``step``."""
        return self.long_row_tokens if step >= self.first_long_step else self.row_tokens

    @property
    def first_long_step(self) -> int:
        """First step with long rows."""
        return round((1 - self.long_share) * self.steps)

    def weight_decay_at(self, step: int) -> float:
        """Weight decay of step ``step``."""
        return self.weight_decay if 2 * step < self.steps else 0.0


class Run:
    """One training run: network, optimiser, data and the folder that they are kept in."""

    def __init__(self, folder: Path, recipe: Recipe, config: NetworkConfig) -> None:
        self.folder, self.recipe = folder, recipe
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        train, held_out = data.split(data.clean(data.read())[0])
        self.encoder = Encoder(self._tokenizer(train, config.vocab_size))
        self.train_chats = [self.encoder.encode(chat) for chat in train]
        self.held_out = [self.encoder.encode(chat) for chat in held_out]
        self.network = Network(config)
        self.optimizer = _optimizer(self.network)
        self.step, self.best_loss, self.seconds, self.tokens_seen = 0, math.inf, 0.0, 0
        if (folder / "last.pt").exists():
            self._load()

    def _tokenizer(self, chats: list[data.Chat], vocab_size: int) -> Tokenizer:
        path = self.folder / "tokenizer.json"
        if not path.exists():
            tokenizer.save(
                tokenizer.learn(chats, vocab_size), self.folder, self.recipe.long_row_tokens
            )
        return Tokenizer.from_file(str(path))

    def train(self, until: int | None = None) -> None:
        """Train to step ``until`` (the last), with checkpoints and held-out losses on the way."""
        for layer in self.network.layers:
            layer.compile(dynamic=False)
        recipe = self.recipe
        feeds = {
            recipe.row_tokens: self._batches(recipe.row_tokens, self.step),
            recipe.long_row_tokens: self._batches(
                recipe.long_row_tokens, max(0, self.step - recipe.first_long_step)
            ),
        }
        bar = tqdm(total=recipe.steps, initial=self.step, unit="step", mininterval=5)
        started, losses = time.monotonic(), []
        end = recipe.steps if until is None else until
        while self.step < end:
            losses.append(self._take_step(*next(feeds[recipe.row_tokens_at(self.step)])))
            bar.update()
            if self.step % recipe.check_every == 0 or self.step == recipe.steps:
                train_loss = torch.stack(losses).mean().item()
                self.seconds += time.monotonic() - started
                started, losses = time.monotonic(), []
                held_out_loss = mean_loss(self.network, self.held_out, self.encoder)
                bar.set_postfix(loss=f"{train_loss:.3f}", held_out=f"{held_out_loss:.3f}")
                self._record(train_loss, held_out_loss)
        bar.close()

    def _batches(self, row_tokens: int, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        shape = (self.recipe.batch_tokens // row_tokens, row_tokens)
        return batches(self.train_chats, self.encoder, shape, self.recipe.seed, first)

    def _take_step(self, token_ids: Tensor, targets: Tensor) -> Tensor:
        recipe = self.recipe
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate_at(self.step)
            group["weight_decay"] = group["decays"] * recipe.weight_decay_at(self.step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = self.network.loss(token_ids, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.max_gradient)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.tokens_seen += token_ids.numel()
        return loss.detach()

    def _record(self, train_loss: float, held_out_loss: float) -> None:
        """Write the log line and the checkpoints."""
        entry = {
            "step": self.step,
            "train_loss": round(train_loss, 4),
            "held_out_loss": round(held_out_loss, 4),
            "tokens_seen": self.tokens_seen,
            "seconds": round(self.seconds),
        }
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if held_out_loss < self.best_loss:
            self.best_loss = held_out_loss
            checkpoint.save_best(self.network, entry, self._path("best"))
        checkpoint.save(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "random": torch.get_rng_state(),
                "best_loss": self.best_loss,
                **entry,
            },
            self._path("last"),
        )

    def _load(self) -> None:
        state = torch.load(self._path("last"), weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.step, self.best_loss = state["step"], state["best_loss"]
        self.seconds, self.tokens_seen = state["seconds"], state["tokens_seen"]

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.pt"


def _optimizer(network: Network) -> torch.optim.AdamW:
    """Matrices decay, norms do not."""
    matrices = [p for p in network.parameters() if p.dim() == 2]
    norms = [p for p in network.parameters() if p.dim() != 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "decays": 1.0},
        {"params": norms, "decays": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=True)


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--twin", action="store_true", help="full precision, for comparison")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = NetworkConfig(quantise=not arguments.twin)
    Run(arguments.run, Recipe(steps=arguments.steps), config).train()


if __name__ == "__main__":
    main()
