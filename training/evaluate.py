"""Measure trained networks: sizes, held-out perplexity, sample replies.

``python -m training.evaluate --runs training/runs/ternary training/runs/twin``
"""

import argparse
import math
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training import data
from training.checkpoint import load_best
from training.data import Chat
from training.export import TEMPERATURE, TOP_P
from training.model import BitLinear, Network
from training.rows import Encoded, Encoder, padded

PROMPTS = (  # fixed before the first look at a reply
    "Hello!",
    "Tell me a short story about a fox who wants to plant a seed.",
    "What is a river?",
    "How can I sleep better?",
    "What is the difference between a cat and a dog?",
    "Write a short poem about the moon.",
    "Tell me one fact about honey.",
    "I am sad today.",
)


@torch.no_grad()
def mean_loss(network: Network, chats: list[Encoded], encoder: Encoder, rows: int = 16) -> float:
    """Mean loss per reply token, in nats: each chat alone, in float32, without dropout."""
    network.eval()
    total, count = 0.0, 0
    with torch.compiler.set_stance("force_eager"):
        for token_ids, targets in padded(chats, encoder, rows):
            num_targets = int((targets >= 0).sum())
            total += network.loss(token_ids, targets).item() * num_targets
            count += num_targets
    return total / count


@torch.no_grad()
def reply(
    network: Network, token_ids: list[int], stop: int, max_tokens: int, is_greedy: bool
) -> Iterator[int]:
    """Yield the tokens that follow ``token_ids``, up to ``stop``: greedy, or as served."""
    ids = list(token_ids)
    for _ in range(max_tokens):
        logits = network.logits(network(torch.tensor([ids]))[0, -1])
        token = int(logits.argmax()) if is_greedy else sample(logits)
        if token == stop:
            return
        ids.append(token)
        yield token


def sample(logits: Tensor) -> int:
    """Draw a token from ``logits`` [V] at TEMPERATURE, among the likeliest that make up TOP_P."""
    shares, tokens = (logits / TEMPERATURE).softmax(-1).sort(descending=True)
    shares[shares.cumsum(-1) - shares > TOP_P] = 0.0
    return int(tokens[torch.multinomial(shares, 1)])


def sizes(network: Network) -> dict[str, int]:
    """Count the parameters of each kind; the head is the embedding and not counted twice."""
    linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    counts = {
        "ternary" if isinstance(linear[0], BitLinear) else "linear": sum(
            m.weight.numel() for m in linear
        ),
        "embedding": network.embed_tokens.weight.numel(),
    }
    return counts | {"norms": sum(p.numel() for p in network.parameters() if p.dim() == 1)}


def _print_replies(network: Network, vocabulary: Tokenizer, is_greedy: bool) -> None:
    encoder = Encoder(vocabulary)
    torch.manual_seed(0)
    for prompt in PROMPTS:
        ids = encoder.bos + encoder.encode(Chat(prompt, "")).prompt
        tokens = list(reply(network, ids, encoder.end, 200, is_greedy))
        print(f"> {prompt}\n{vocabulary.decode(tokens)}\n")


def main() -> None:
    """Print the figures of each run, and replies of the first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of runs")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    _, held_out = data.split(data.clean(data.read())[0])
    for run in arguments.runs:
        network, progress = load_best(run / "best.pt")
        encoder = Encoder(Tokenizer.from_file(str(run / "tokenizer.json")))
        loss = mean_loss(network, [encoder.encode(chat) for chat in held_out], encoder)
        print(f"{run}: {sizes(network)} at {progress}")
        print(f"held-out perplexity {math.exp(loss):.2f} (loss {loss:.4f}), {len(held_out)} chats")
    network, _ = load_best(arguments.runs[0] / "best.pt")
    vocabulary = Tokenizer.from_file(str(arguments.runs[0] / "tokenizer.json"))
    for is_greedy in (True, False):
        print("\nGreedy replies:\n" if is_greedy else "\nReplies as served:\n")
        _print_replies(network, vocabulary, is_greedy)


if __name__ == "__main__":
    main()
