"""Files of text on the disk: read within bounds, replaced in one step with mode and owner kept."""

import codecs
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from refiner.domain.errors import NotFoundError, UsageError

MOST_BYTES = 8_000_000


def contents(path: Path) -> bytes:
    """The bytes of a file of text. Raises NotFoundError, and UsageError for what no model could read."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: give a file or a question")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f'there is no file "{path}": give a file that exists, or a question in quotes') from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES:,} bytes, and no model reads that much: shorten it")
    if b"\0" in data:
        raise UsageError(f"{path} is binary, not text")
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise UsageError(f"{path} is empty: give a question, a file, or - and a pipe")
    return data


def check_writable(path: Path) -> None:
    """Find out whether a file can be written or replaced there. Raises UsageError; nothing is left behind."""
    target = path.resolve()
    try:
        if target.is_dir():
            raise UsageError(f"{path} is a folder: give the name of a file")
        if not target.exists():
            with _beside(target, None):
                return
        if target.is_file():
            os.close(os.open(target, os.O_WRONLY))
            with _beside(target, target.stat()):
                pass
    except OSError as error:
        raise _unwritable(path, error) from error


def replace(path: Path, new: bytes, *, backup: bytes | None = None) -> Path | None:
    """Put new bytes in a file's place in one step, and return where its backup is.

    A link stays a link: its target is replaced. backup: what to keep as NAME.orig, or NAME.orig.1 and so on, so that
    none is ever written over. A device or a pipe is written to. Raises UsageError; the file is then as it was.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(new)
            return None
        like = target.stat() if target.exists() else None
        kept = _backup(target, backup, like) if backup is not None and like else None
        try:
            _replace(target, new, like)
        except OSError:
            if kept:
                kept.unlink()
            raise
    except OSError as error:
        raise _unwritable(path, error) from error
    return kept


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {error.strerror or error}")


@contextmanager
def _beside(target: Path, like: os.stat_result | None) -> Iterator[tuple[int, Path]]:
    """A new file in the target's folder, with the mode and owner of the one that it is to replace; gone at the end."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    try:
        if like is None:
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(handle, 0o666 & ~mask)
        else:
            own = os.fstat(handle)
            if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
                _give(handle, target, like)
            os.fchmod(handle, stat.S_IMODE(like.st_mode))
        yield handle, Path(name)
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)


def _give(handle: int, target: Path, like: os.stat_result) -> None:
    try:
        os.fchown(handle, like.st_uid, like.st_gid)
    except PermissionError as error:
        raise UsageError(
            f"{target} belongs to another user, and would not any more: write elsewhere with -o"
        ) from error


def _replace(target: Path, data: bytes, like: os.stat_result | None) -> None:
    with _beside(target, like) as (handle, new):
        _write(handle, data)
        new.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot sync a folder, and the file is in place
            os.fsync(folder)
    finally:
        os.close(folder)


def _backup(target: Path, data: bytes, like: os.stat_result) -> Path:
    number = 0
    while True:
        kept = target.with_name(f"{target.name}.orig{f'.{number}' if number else ''}")
        try:
            handle = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        try:
            _write(handle, data)
            os.fchmod(handle, stat.S_IMODE(like.st_mode))
        except OSError:
            kept.unlink()
            raise
        finally:
            os.close(handle)
        return kept


def _write(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb", closefd=False) as file:
        file.write(data)
    os.fsync(handle)
