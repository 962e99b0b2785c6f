"""What lies around the layers and is the same in all families: embedding, last norm, head."""

from collections.abc import Callable

from sterna.engine.config import HeadType
from sterna.engine.kernels import Program, Rows
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.tensors import Layer, ModelTensors, Vector, VocabTable
from sterna.engine.model.weights import ModelWeights


def model_tensors(config: ModelConfig, layer: Callable[[str], Layer]) -> ModelTensors:
    """List all tensors; ``layer`` lists those of one layer, given what its names begin with."""
    head = VocabTable("lm_head.weight", config.vocab_size, config.hidden_size)
    return ModelTensors(
        embedding=VocabTable("model.embed_tokens.weight", head.rows, head.width),
        head=None if config.tie_embeddings else head,
        norm=Vector("norm", "model.norm.weight", config.hidden_size),
        layers=tuple(layer(f"model.layers.{index}") for index in range(config.num_layers)),
    )


def record_head(program: Program, x: Rows, weights: ModelWeights, head: HeadType) -> None:
    """Record the last norm and the logits."""
    x = program.select_rms_norm(x, weights.norm, weights.config.norm_eps)
    if head == "int8":
        program.int8_head(x, weights.int8_head, weights.head)
    else:
        program.head(x, weights.head)
