"""Commands, links, paths and folders that the documents name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXTS = {
    ".cpp",
    ".h",
    ".html",
    ".js",
    ".md",
    ".py",
    ".pyi",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
FOLDERS = "benchmarks|deploy|docs|engine|examples|scripts|server|tests|training"
# A path of ours, with or without backticks; other projects' paths go on to the left.
NAMED_PATH = re.compile(
    rf"(?<![\w/.*>-])(?:{FOLDERS})/[\w./-]*\.(?:cpp|h|html|js|md|py|pyi|sh|yml)\b"
)


def texts() -> list[Path]:
    """Return all files of the repository that people write, relative to it."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for name in FOLDERS.split("|"):
        found += (ROOT / name).rglob("*")
    return sorted(path.relative_to(ROOT) for path in found if path.suffix in TEXTS)


def documents() -> list[Path]:
    """Return all Markdown for readers of the repository, relative to it."""
    names = ("benchmarks", "deploy", "docs", "engine", "server", "training")
    folders = (ROOT / name for name in names)
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


def test_paths_in_comments_and_documents_exist() -> None:
    missing = [
        f"{path}: {named}"
        for path in texts()
        for named in NAMED_PATH.findall((ROOT / path).read_text())
        if not (ROOT / named).exists() and not (ROOT / path.parent / named).exists()
    ]
    assert not missing, "\n".join(missing)


def test_every_folder_has_its_row_in_the_architecture() -> None:
    _, _, rooms = (ROOT / "docs/architecture.md").read_text().partition("## Rooms\n")
    cells = re.findall(r"^\| (.*?) \|", rooms, re.MULTILINE)
    rows = set(re.findall(r"`([\w/]+)/`", "".join(cells)))
    files = [path for name in ("server", "engine") for path in (ROOT / name).rglob("*.*")]
    folders = {path.parent.relative_to(ROOT).as_posix() for path in files if path.is_file()}
    assert {folder for folder in folders if not folder.endswith("__pycache__")} <= rows
    assert {row for row in rows if not (ROOT / row).is_dir()} == set()


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        title = path.read_text().splitlines()[0].removeprefix(f"# {int(path.stem[:4])}. ")
        assert f"{int(path.stem[:4])}. [{title}]({path.name})" in index
