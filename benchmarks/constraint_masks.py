"""How long a constraint takes: to read the tokenizer, to compile, to compute a mask.

Text is drawn from the masks themselves, so every kind of place in a grammar is met. Run it on an
idle machine: ``python -m benchmarks.constraint_masks [TOKENIZER_JSON]`` (none: a made-up one).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from sterna.engine.synth.tokenizer import special_tokens, write_tokenizer
from sterna.server.constraints.grammars import ConstraintSpec, JsonSchema, OneOf, Regex
from sterna.server.constraints.matchers import CompiledGrammar, GrammarVocabulary

VOCAB_SIZE = 128_256
NUM_TEXTS, TEXT_TOKENS = 20, 100
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"type": "string"}},
        "kind": {"enum": ["a", "b", "c"]},
    },
    "required": ["name", "age", "tags", "kind"],
    "additionalProperties": False,
}
SPECS: dict[str, ConstraintSpec] = {
    "any object": JsonSchema(),
    "schema of 4 fields": JsonSchema(PERSON),
    "schema of 500 fields": JsonSchema(
        {"type": "object", "properties": {f"field{i}": {"type": "string"} for i in range(500)}}
    ),
    "regex": Regex(r"(\w+ )*\w+\."),
    "1000 choices": OneOf([f"choice number {i}" for i in range(1000)]),
}


def main() -> None:
    """Print one line of JSON for the tokenizer, and one for each kind of grammar."""
    with TemporaryDirectory() as folder:
        write_tokenizer(Path(folder), VOCAB_SIZE, 4096)
        path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(folder) / "tokenizer.json")
        start = perf_counter()
        vocabulary = GrammarVocabulary.load(
            path.read_text(), VOCAB_SIZE, {special_tokens(VOCAB_SIZE).end_of_turn}
        )
    print(json.dumps({"load_seconds": round(perf_counter() - start, 2)}))
    for name, spec in SPECS.items():
        print(json.dumps(measure(name, spec, vocabulary)))


def measure(name: str, spec: ConstraintSpec, vocabulary: GrammarVocabulary) -> dict[str, object]:
    """Compile it, then write some texts."""
    start = perf_counter()
    compiled = vocabulary.compile(spec.text())
    compile_ms = 1e3 * (perf_counter() - start)
    random = Random(0)
    micros = [1e6 * s for _ in range(NUM_TEXTS) for s in mask_seconds(compiled, vocabulary, random)]
    return {
        "grammar": name,
        "compile_ms": round(compile_ms, 1),
        "masks": len(micros),
        "median_us": round(median(micros)),
        "p99_us": round(quantiles(micros, n=100)[-1]),
        "max_us": round(max(micros)),
    }


def mask_seconds(
    compiled: CompiledGrammar, vocabulary: GrammarVocabulary, random: Random
) -> Iterator[float]:
    """Seconds of each mask of one text, whose tokens are any that the mask allows."""
    mask = np.empty_like(vocabulary.known)
    matcher = compiled.start()
    for _ in range(TEXT_TOKENS):
        start = perf_counter()
        matcher.fill_mask(mask.data)
        yield perf_counter() - start
        allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))
        token_id = int(random.choice(allowed))
        if matcher.is_finished or token_id in vocabulary.tokens.eos_tokens:
            return
        matcher.accept(token_id)


if __name__ == "__main__":
    main()
