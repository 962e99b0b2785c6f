"""What the type of the KV cache does to next-token distributions.

    python -m benchmarks.kv_dtype [MODEL] [--conversations 24] [--write]

Runs conversations of held-out chats, made long enough to fill the context, through the network
with each type of cache, and compares the distribution after every token with that of a float32
cache. The float32 cache on another instruction set, which sums in another order, gives the scale:
differences of that size cannot be told from rounding.
"""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sterna.engine.config import KVDtype
from sterna.engine.kernels import CACHE_TOKENS, NativeProgram, Step, supported_isas
from sterna.engine.model.families.bitnet import BitNet
from sterna.engine.model.families.rotary import attention_shape
from sterna.engine.model.load import load_weights
from sterna.engine.model.weights import ModelWeights
from training import data
from training.rows import Encoder

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = Path(__file__).parent / "results" / "kv_dtype.json"
CONTEXT_TOKENS: Final = 512

Logits = NDArray[np.float64]


def conversations(folder: Path) -> Iterator[list[int]]:
    """Yield the token ids of held-out chats, one after the other until the context is full."""
    encoder = Encoder(Tokenizer.from_file(str(folder / "tokenizer.json")))
    _, held_out = data.split(data.clean(data.read())[0])
    token_ids = list(encoder.bos)
    for chat in map(encoder.encode, held_out):
        token_ids += chat.prompt + chat.reply
        if len(token_ids) >= CONTEXT_TOKENS:
            yield token_ids[:CONTEXT_TOKENS]
            token_ids = list(encoder.bos)


class Network:
    """The network with one type of cache, for one conversation at a time."""

    def __init__(self, weights: ModelWeights, kv_dtype: KVDtype, isa: str) -> None:
        blocks = CONTEXT_TOKENS // CACHE_TOKENS
        shape = attention_shape(weights.config, CONTEXT_TOKENS, blocks, kv_dtype)
        self._program = NativeProgram(shape, 1, CONTEXT_TOKENS, CONTEXT_TOKENS, isa)
        BitNet().record(self._program, weights, "bf16")  # whose logits are all exact

    def logits(self, token_ids: list[int]) -> Logits:
        """Return the logits after every token, [T, V]."""
        positions = np.arange(len(token_ids), dtype=np.int32)
        step = Step(
            token_ids=np.array(token_ids, np.int32),
            positions=positions,
            slots=positions,
            block_tables=np.arange(CONTEXT_TOKENS // CACHE_TOKENS, dtype=np.int32)[None],
            query_starts=np.array([0, len(token_ids)], np.int32),
            logit_rows=positions,
        )
        return self._program.run(step).astype(np.float64)


class Comparison:
    """Distributions beside those of the float32 cache, position by position."""

    def __init__(self) -> None:
        self._columns: list[NDArray[np.float64]] = []

    def add(self, logits: Logits, expected: Logits, next_ids: list[int]) -> None:
        """Compare [T, V] with [T, V]; next_ids: the T tokens that the text goes on with."""
        ours, theirs = log_softmax(logits), log_softmax(expected)
        divergence = (np.exp(theirs) * (theirs - ours)).sum(-1)
        difference = np.abs(logits - expected).max(-1)
        same_best = logits.argmax(-1) == expected.argmax(-1)
        loss = -ours[np.arange(len(next_ids)), next_ids]
        self._columns.append(np.stack([divergence, difference, same_best, loss]))

    def figures(self) -> dict[str, float]:
        """Return the figures over all positions; divergences are in nats."""
        divergence, difference, same_best, loss = np.concatenate(self._columns, axis=1)
        return {
            "kl_mean": divergence.mean(),
            "kl_p99": np.quantile(divergence, 0.99),
            "kl_max": divergence.max(),
            "logit_difference_mean": difference.mean(),
            "logit_difference_max": difference.max(),
            "same_greedy_token": same_best.mean(),
            "perplexity": np.exp(loss.mean()),
        }


def log_softmax(logits: Logits) -> Logits:
    """Return natural log-probabilities."""
    shifted = logits - logits.max(-1, keepdims=True)
    logprobs: Logits = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return logprobs


def measure(folder: Path, num_conversations: int) -> dict[str, Any]:
    """Compare all types of cache, and another instruction set."""
    with TemporaryDirectory() as cache_dir:
        weights = load_weights(folder, Path(cache_dir))
    best, *others = supported_isas()
    networks = {
        "float32": Network(weights, "float32", best),
        "float16": Network(weights, "float16", best),
        "int8": Network(weights, "int8", best),
    }
    networks |= {f"float32, {isa}": Network(weights, "float32", isa) for isa in others[-1:]}
    comparisons = {name: Comparison() for name in networks}
    deviation, positions = [], 0
    for token_ids in islice(conversations(folder), num_conversations):
        expected = networks["float32"].logits(token_ids[:-1])
        deviation.append(expected.std(-1).mean())
        positions += len(expected)
        for name, network in networks.items():
            comparisons[name].add(network.logits(token_ids[:-1]), expected, token_ids[1:])
    return {
        "model": folder.name,
        "isa": best,
        "positions": positions,
        "logit_deviation": float(np.mean(deviation)),
        "caches": {
            name: {key: float(value) for key, value in comparison.figures().items()}
            for name, comparison in comparisons.items()
        },
    }


def main() -> None:
    """Parse the arguments, measure, print; with --write also into the results."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    default = ROOT / "server" / "builtin_model"
    parser.add_argument("model", nargs="?", type=Path, default=default, help="checkpoint folder")
    parser.add_argument("--conversations", type=int, default=24, help="default: 24")
    parser.add_argument("--write", action="store_true", help=f"also to {RESULTS.name}")
    arguments = parser.parse_args()
    text = json.dumps(measure(arguments.model, arguments.conversations), indent=2)
    print(text)
    if arguments.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
