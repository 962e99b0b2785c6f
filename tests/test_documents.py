"""What the documents say is so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def documents() -> list[Path]:
    """All Markdown that a reader of the repository is meant to find."""
    folders = (ROOT / name for name in ("benchmarks", "docs", "engine", "server", "training"))
    found = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))]
    return sorted(path.relative_to(ROOT) for path in found)


@pytest.mark.parametrize("path", documents(), ids=str)
def test_documents_name_targets_and_files_that_exist(path: Path) -> None:
    text = (ROOT / path).read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert "://" in link or (ROOT / path.parent / link).exists(), link
    for folder, rest in re.findall(r"`([a-z]+)/(?!runs/)([\w./-]+)`", text):
        assert (ROOT / folder / rest).exists() or not (ROOT / folder).is_dir(), rest


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        title = path.read_text().splitlines()[0].removeprefix(f"# {int(path.stem[:4])}. ")
        assert f"{int(path.stem[:4])}. [{title}]({path.name})" in index
