"""The tests as files, for frameworks that want files and for tests that read what lies beside them."""

from collections.abc import Iterable
from pathlib import Path

FOLDER = "tests"


def written(files: Iterable[tuple[str, str]]) -> Path:
    """Write them below the working folder, which is this cell's own; the folder they are in."""
    root = Path.cwd() / FOLDER
    for name, text in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return root
