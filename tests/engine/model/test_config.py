"""config.json of transformers 4 and 5 reads alike; what cannot be served is refused in one line."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from sterna.engine.errors import CheckpointError
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.families.registry import model_tensors
from sterna.engine.model.load import read_model_config
from sterna.engine.model.sources.json_object import JsonObject
from sterna.engine.model.sources.quantization import WeightForm, read_weight_form

VERSION_5: dict[str, Any] = {
    "architectures": ["BitNetForCausalLM"],
    "model_type": "bitnet",
    "vocab_size": 1000,
    "hidden_size": 96,
    "intermediate_size": 200,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "hidden_act": "relu2",
    "max_position_embeddings": 777,
    "rms_norm_eps": 1e-6,
    "attention_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
    "rope_parameters": {"rope_type": "default", "rope_theta": 12345.0},
    "quantization_config": {
        "quant_method": "bitnet",
        "linear_class": "autobitlinear",
        "quantization_mode": "offline",
        "modules_to_not_convert": None,
        "use_rms_norm": False,
        "rms_norm_eps": 1e-6,
    },
}
ABSENT = object()


def read(folder: Path, **changes: Any) -> ModelConfig:
    fields = VERSION_5 | changes
    present = {key: value for key, value in fields.items() if value is not ABSENT}
    (folder / "config.json").write_text(json.dumps(present))
    return read_model_config(folder)


def quantized(**changes: Any) -> dict[str, Any]:
    return {**VERSION_5["quantization_config"], **changes}


def test_every_field(tmp_path: Path) -> None:
    assert read(tmp_path) == ModelConfig(
        family="bitnet",
        vocab_size=1000,
        hidden_size=96,
        mlp_size=200,
        num_layers=3,
        num_heads=6,
        num_kv_heads=2,
        head_size=16,
        rope_theta=12345.0,
        norm_eps=1e-6,
        max_context_tokens=777,
        eos_token_ids=frozenset({2}),
        bos_token_id=1,
        tie_embeddings=True,
    )


def test_transformers_4_says_the_same(tmp_path: Path) -> None:
    version_4 = {
        "dtype": ABSENT,
        "torch_dtype": "bfloat16",
        "rope_parameters": ABSENT,
        "rope_theta": 12345.0,
        "rope_scaling": None,
        "attention_bias": ABSENT,
    }
    assert read(tmp_path, **version_4) == read(tmp_path)


@pytest.mark.parametrize("absent", [ABSENT, None])
def test_defaults_are_those_of_transformers(tmp_path: Path, absent: object) -> None:
    optional = (
        "hidden_act max_position_embeddings rms_norm_eps rope_parameters tie_word_embeddings "
        "eos_token_id bos_token_id num_key_value_heads quantization_config"
    )
    config = read(tmp_path, **dict.fromkeys(optional.split(), absent))
    assert config.max_context_tokens == 2048
    assert (config.norm_eps, config.rope_theta) == (1e-5, 500_000.0)
    assert config.tie_embeddings is False
    assert (config.eos_token_ids, config.bos_token_id) == (frozenset(), None)
    assert config.num_kv_heads == config.num_heads


def test_head_size_may_be_stated(tmp_path: Path) -> None:
    config = read(tmp_path, head_dim=32)
    assert (config.query_size, config.kv_size) == (6 * 32, 2 * 32)


def test_generation_config_adds_stop_tokens(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 9]}')
    assert read(tmp_path).eos_token_ids == {2, 9}
    assert read(tmp_path, eos_token_id=[4, 5]).eos_token_ids == {2, 4, 5, 9}
    assert read(tmp_path, eos_token_id=None).eos_token_ids == {2, 9}


def test_stop_tokens_outside_the_vocabulary_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, eos_token_id=[2, 128001]).eos_token_ids == {2}
    assert "128001" in caplog.text


@pytest.mark.parametrize(
    ("quantization", "form"),
    [
        (quantized(), WeightForm.SCALE_MULTIPLIES),
        (quantized(linear_class="bitlinear"), WeightForm.SCALE_DIVIDES),
        ({"quant_method": "bitnet"}, WeightForm.SCALE_DIVIDES),
        (quantized(quantization_mode="online"), WeightForm.MASTER),
        (quantized(linear_class="bitlinear", quantization_mode="online"), WeightForm.SCALE_DIVIDES),
        (quantized(modules_to_not_convert=["lm_head"]), WeightForm.SCALE_MULTIPLIES),
        (None, WeightForm.MASTER),
    ],
)
def test_linear_class_alone_tells_what_the_scale_does(
    tmp_path: Path, quantization: dict[str, Any] | None, form: WeightForm
) -> None:
    read(tmp_path, quantization_config=quantization)
    assert read_weight_form(JsonObject.read(tmp_path / "config.json")) is form


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"architectures": ["GptForCausalLM"]}, ["architectures", "GptForCausalLM", "BitNetFor"]),
        ({"architectures": ["BitnetForCausalLM"]}, ["BitnetForCausalLM", "1bitLLM", "BitNetFor"]),
        ({"architectures": ["LlamaForCausalLM"]}, ["hidden_act", '"relu2"', '"silu"']),
        ({"architectures": ABSENT}, ["architectures", "nothing", "BitNetForCausalLM"]),
        ({"architectures": "BitNetForCausalLM"}, ["architectures", "a list of strings"]),
        ({"hidden_act": "silu"}, ["hidden_act", '"silu"', '"relu2"']),
        ({"attention_bias": True}, ["attention_bias", "true", "false"]),
        ({"hidden_size": ABSENT}, ["hidden_size", "nothing", "an integer from 1 to 2147483647"]),
        ({"hidden_size": "96"}, ["hidden_size", '"96"', "an integer"]),
        ({"hidden_size": 96.0}, ["hidden_size", "96.0", "an integer"]),
        ({"vocab_size": True}, ["vocab_size", "true", "an integer"]),
        ({"num_hidden_layers": 0}, ["num_hidden_layers", "0", "from 1 to"]),
        ({"num_key_value_heads": 4}, ["num_key_value_heads", "4", "a divisor", "6"]),
        ({"num_attention_heads": 5, "num_key_value_heads": 1}, ["head_dim", "nothing", "5 heads"]),
        ({"head_dim": 15}, ["head_dim", "15", "an even number"]),
        ({"hidden_size": 6 * 15}, ["head_dim", "15", "an even number"]),
        ({"rms_norm_eps": -1e-5}, ["rms_norm_eps", "-1e-05", "above 0"]),
        ({"rms_norm_eps": float("nan")}, ["rms_norm_eps", "NaN", "finite"]),
        ({"tie_word_embeddings": "yes"}, ["tie_word_embeddings", '"yes"', "true or false"]),
        ({"eos_token_id": "</s>"}, ["eos_token_id", "</s>", "a token id"]),
        ({"eos_token_id": [1, None]}, ["eos_token_id", "[1, null]", "a list of token ids"]),
        ({"rope_parameters": 5}, ["rope_parameters", "5", "an object"]),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 2.0, "factor": 4.0}},
            ["rope_parameters: original_max_position_embeddings", "nothing", "above 0"],
        ),
        ({"rope_parameters": {"rope_theta": 1.0}}, ["rope_theta", "1.0", "above 1"]),
        ({"rope_scaling": {"type": "linear"}}, ["rope_scaling: factor", "nothing"]),
        ({"rope_scaling": {"type": "dynamic"}}, ["rope_scaling: type", '"dynamic"', '"yarn"']),
        (
            {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}},
            ["partial_rotary_factor", "0.5", "1.0"],
        ),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            ["quantization_config: quant_method", '"gptq"', '"bitnet"'],
        ),
        (
            {"quantization_config": quantized(linear_class="x")},
            ["linear_class", '"x"', "bitlinear"],
        ),
        ({"quantization_config": quantized(quantization_mode="x")}, ["quantization_mode", '"x"']),
        ({"quantization_config": quantized(use_rms_norm=True)}, ["use_rms_norm", "true", "false"]),
        (
            {"quantization_config": quantized(modules_to_not_convert=["lm_head", "down_proj"])},
            ["modules_to_not_convert", "down_proj", "lm_head"],
        ),
        ({"quantization_config": quantized(modules_to_not_convert=[])}, ["[]", "lm_head"]),
    ],
)
def test_refused_in_one_line(tmp_path: Path, changes: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path, **changes)
    message = str(caught.value)
    for part in [str(tmp_path / "config.json"), "found", "expected", *parts]:
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff", '{"a": 1}}', "[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
def test_not_a_json_object(tmp_path: Path, name: str, text: str) -> None:
    read(tmp_path)
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match=f"^.*{name}: found .*, expected a JSON object$"):
        read_model_config(tmp_path)


def test_no_folder_and_no_config(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent: found no folder, expected one with config"):
        read_model_config(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"config.json: cannot be read: No such file"):
        read_model_config(tmp_path)


def test_parameters_are_counted_as_published() -> None:
    """2B-4T: 2,412,820,480 parameters, of which 2,084,044,800 ternary."""
    config = ModelConfig(
        family="bitnet",
        vocab_size=128256,
        hidden_size=2560,
        mlp_size=6912,
        num_layers=30,
        num_heads=20,
        num_kv_heads=5,
        head_size=128,
        rope_theta=5e5,
        norm_eps=1e-5,
        max_context_tokens=4096,
        eos_token_ids=frozenset(),
        bos_token_id=None,
        tie_embeddings=True,
    )
    assert model_tensors(config).num_ternary == 2_084_044_800
    assert model_tensors(config).num_parameters == 2_412_820_480
