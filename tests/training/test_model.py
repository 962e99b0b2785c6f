from typing import Any

import pytest
import torch
from torch.nn import functional

from training.model import BitLinear, Network, NetworkConfig, causal_attention

TINY = NetworkConfig(vocab_size=60, hidden_size=64, mlp_size=96, num_layers=2, dropout=0.5)


@pytest.fixture(scope="module")
def auto_bit_linear() -> Any:
    """The layer of transformers, with masters that it rounds at every call."""
    bitnet = pytest.importorskip("transformers.integrations.bitnet")
    torch.manual_seed(0)
    return bitnet.AutoBitLinear(48, 20, bias=False, online_quant=True)


def test_bit_linear_and_its_gradients_equal_those_of_transformers(auto_bit_linear: Any) -> None:
    layer = BitLinear(48, 20, bias=False)
    layer.weight.data = auto_bit_linear.weight.data.clone()
    mine = torch.randn(7, 48, requires_grad=True)
    theirs = mine.detach().clone().requires_grad_()
    weights_of_loss = torch.randn(7, 20)
    with torch.compiler.set_stance("force_eager"):
        expected = auto_bit_linear(theirs)
    (expected * weights_of_loss).sum().backward()
    found = layer(mine)
    (found * weights_of_loss).sum().backward()
    # Both round to the same whole numbers; they multiply by the scales before or after the sum of
    # 48 products, so they differ by a few roundings of float32.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer.weight.grad, auto_bit_linear.weight.grad, rtol=1e-5, atol=1e-5)


def test_product_of_quantised_numbers_is_exact_in_bf16() -> None:
    layer, x = BitLinear(512, 8, bias=False), torch.randn(4, 512)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(x)
    # Only the result is rounded to bf16's 8 bits; had the inputs been rounded, their errors
    # would add up beyond one unit in the last place of the result.
    torch.testing.assert_close(rounded, exact, rtol=2**-8, atol=0.0)


@pytest.mark.parametrize("length", [1, 127, 128, 129, 300])
def test_blocks_of_attention_equal_attention_at_once(length: int) -> None:
    torch.manual_seed(length)
    q, k, v = (torch.randn(2, heads, length, 16) for heads in (4, 2, 2))
    expected = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(causal_attention(q, k, v), expected, rtol=1e-5, atol=1e-5)


def test_no_position_sees_a_later_one() -> None:
    network = Network(TINY).eval()
    ids = torch.randint(0, 60, (1, 40))
    changed = ids.clone()
    changed[0, 25:] = 0
    assert torch.equal(network(ids)[0, :25], network(changed)[0, :25])


def test_loss_leaves_out_ignored_targets() -> None:
    network = Network(TINY).eval()
    ids, targets = torch.randint(0, 60, (2, 12)), torch.randint(0, 60, (2, 12))
    targets[:, ::2] = -100
    logits = network.logits(network(ids)).flatten(0, 1)
    expected = functional.cross_entropy(logits, targets.flatten(), ignore_index=-100)
    torch.testing.assert_close(network.loss(ids, targets), expected)


def test_dropout_is_one_mask_for_all_positions_of_a_row_and_off_when_serving() -> None:
    network = Network(TINY)
    x = torch.ones(2, 5, 64)
    dropped = network.dropout(x)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert torch.equal(network.eval().dropout(x), x)
