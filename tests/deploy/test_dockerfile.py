"""The Dockerfile as text: what stays cached, what comes from outside. test_image.py builds it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
LINES = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")
INSTRUCTIONS = [line for line in LINES.splitlines() if line.strip()]
CODE = {"engine", "server", "sterna"}  # what nearly every commit changes
FINAL = max(i for i, line in enumerate(INSTRUCTIONS) if line.startswith("FROM"))


def copied(instruction: str) -> set[str]:
    """What an instruction takes from this repository."""
    words = instruction.split()
    is_copy = words[0] in {"COPY", "ADD"} and not words[1].startswith("--from=")
    return set(words[1:-1]) if is_copy else set()


def test_a_change_of_the_code_builds_nothing_anew_but_the_wheel() -> None:
    first = next(i for i, line in enumerate(INSTRUCTIONS) if copied(line) & CODE)
    (stale,) = (line for line in INSTRUCTIONS[first:FINAL] if line.startswith("RUN"))
    installed = re.findall(r"pip install ([^&]*)", stale)
    assert [options.split() for options in installed] == [["--quiet", "--no-deps", "/dist/*.whl"]]


def test_the_final_stage_copies_the_built_one_last() -> None:
    words = [line.split()[0] for line in INSTRUCTIONS[FINAL:]]
    assert "RUN" not in words[words.index("COPY") :]


def test_the_context_is_what_is_copied() -> None:
    ignored = (ROOT / ".dockerignore").read_text()
    let_in = set(re.findall(r"^!(\S+)$", ignored, re.MULTILINE))
    assert let_in == set().union(*map(copied, INSTRUCTIONS))
    assert all((ROOT / name).exists() for name in let_in)


def test_processor_and_sources_of_packages_are_arguments() -> None:
    stages = [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM")]
    assert set(stages) == {"${PYTHON_IMAGE}"}
    assert not re.search(r"amd64|x86|arm64|aarch64|https?://(?!127)", "\n".join(INSTRUCTIONS))
