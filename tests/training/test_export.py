from pathlib import Path
from typing import Any

import pytest
import torch

from training import tokenizer
from training.data import Chat
from training.export import export, pack
from training.model import Network, NetworkConfig

CONFIG = NetworkConfig(vocab_size=300, hidden_size=64, mlp_size=100, num_layers=3)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    network = Network(CONFIG)
    for parameter in network.parameters():  # norms too, so that a forgotten one shows
        parameter.data += 0.1 * torch.randn_like(parameter)
    network.embed_tokens.weight.data = network.embed_tokens.weight.data.bfloat16().float()
    return network.eval()


@pytest.fixture(scope="module")
def folder(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(network, tokenizer.learn([Chat("Hi", "Hello.")], CONFIG.vocab_size), folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    with torch.compiler.set_stance("force_eager"):
        return transformers.AutoModelForCausalLM.from_pretrained(folder)


def test_byte_holds_the_codes_of_four_rows_lowest_bits_first() -> None:
    assert pack(torch.tensor([[-1.0], [0.0], [1.0], [0.0]])).tolist() == [
        [0 | 1 << 2 | 2 << 4 | 1 << 6]
    ]


@torch.no_grad()
def test_transformers_gives_the_logits_of_the_network_that_was_trained(
    network: Network, loaded: Any
) -> None:
    ids = torch.randint(0, CONFIG.vocab_size, (2, 150))
    with torch.compiler.set_stance("force_eager"):
        found = loaded(ids).logits
    expected = network.logits(network(ids))
    difference = (found - expected).abs().amax(-1).flatten()  # one a position
    assert found.dtype == torch.float32
    # Equal but for float32's roundings, until at some position a number near a tie is rounded to
    # the other of two int8 neighbours: 1/127 of that vector's largest element, and what follows.
    assert difference.median() < 1e-5 * expected.abs().max()
    assert difference.max() < 0.02 * expected.abs().max()


def test_transformers_finds_every_tensor_and_no_other(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    with torch.compiler.set_stance("force_eager"):
        _, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True
        )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
