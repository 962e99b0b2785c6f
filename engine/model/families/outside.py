"""What lies around the layers and is the same in all families: embedding, last norm, head."""

from collections.abc import Callable

from sterna.engine.config import HeadType
from sterna.engine.kernels import PackedTernary, Program, Rows
from sterna.engine.model.config import ModelConfig
from sterna.engine.model.tensors import Layer, Matrix, ModelTensors, Part, Vector, VocabTable
from sterna.engine.model.weights import ModelWeights


def model_tensors(config: ModelConfig, layer: Callable[[str], Layer]) -> ModelTensors:
    """List all tensors; ``layer`` lists those of one layer, given what its names begin with."""

    def table(name: str, tensor: str, *, is_ternary: bool) -> VocabTable | Matrix:
        rows, width = config.vocab_size, config.hidden_size
        if not is_ternary:
            return VocabTable(tensor, rows, width)
        return Matrix(name, width, (Part(tensor, rows),), config.activation_group)

    head = table("head", "lm_head.weight", is_ternary=config.ternary_head)
    embedding = "model.embed_tokens.weight"
    return ModelTensors(
        embedding=table("embedding", embedding, is_ternary=config.ternary_embedding),
        head=None if config.tie_embeddings else head,
        norm=Vector("norm", "model.norm.weight", config.hidden_size),
        layers=tuple(layer(f"model.layers.{index}") for index in range(config.num_layers)),
    )


def record_embedding(program: Program, weights: ModelWeights) -> Rows:
    """Record the rows that begin the network."""
    if isinstance(weights.embedding, PackedTernary):
        return program.embed_ternary(weights.embedding)
    return program.embed(weights.embedding)


def record_head(program: Program, x: Rows, weights: ModelWeights, head: HeadType) -> None:
    """Record the last norm and the logits."""
    x = program.select_rms_norm(x, weights.norm, weights.config.norm_eps)
    if isinstance(weights.head, PackedTernary):  # exact as it is, whatever ``head`` says
        program.ternary_head(x, weights.head)
    elif head == "int8" and weights.int8_head is not None:
        program.int8_head(x, weights.int8_head, weights.head)
    else:
        program.head(x, weights.head)
