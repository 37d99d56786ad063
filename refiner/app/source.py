"""The file under repair: read with all that its bytes say, written back so that only the repair differs."""

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import diff_bytes, unified_diff
from functools import cached_property
from pathlib import Path

from refiner.app.disk import check_writable, contents, replace
from refiner.autograd.alignment import edges, shared
from refiner.domain.errors import RefinerError, UsageError
from refiner.verify.syntax import coding

_CONTEXT = 3
_HUNK = re.compile(rb"@@ -(\d+)(\S*) \+(\d+)")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_LANGUAGES = {
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".go": "go",
    ".java": "java",
    ".js": "javascript",
    ".lua": "lua",
    ".php": "php",
    ".pl": "perl",
    ".rb": "ruby",
    ".rs": "rust",
    ".sh": "bash",
    ".ts": "typescript",
}


@dataclass(frozen=True)
class Source:
    """A file of program text as it was when it was read.

    data: its bytes. encoding: of the text, which begins after a byte order mark. text: what models see, its lines
    ending in LF whatever the file's end in.
    """

    path: Path
    data: bytes
    encoding: str
    text: str

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Read a file in UTF-8 or in the encoding that its first lines declare (PEP 263).

        Raises NotFoundError for a path that leads nowhere, and UsageError for what is empty, larger than 8 MB, binary
        or not in its encoding.
        """
        return cls.of(path, contents(path))

    @classmethod
    def of(cls, path: Path, data: bytes) -> "Source":
        """The same of bytes that came another way, such as a pipe; path is what messages call them."""
        encoding = _encoding(data, path)
        try:
            text = data.removeprefix(codecs.BOM_UTF8).decode(encoding)
            source = cls(path, data, encoding, re.sub(r"\r\n|\r", "\n", text))
            lines = [line for line, _ in source._lines]
        except UnicodeError as error:
            at = error.start if isinstance(error, UnicodeDecodeError) else 0
            mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
            raise UsageError(_not_encoded(path, encoding, at + mark)) from error
        if source.text.split("\n") != lines + [""] * source.text.endswith("\n"):
            raise UsageError(f"{path} is in {encoding}, whose lines cannot be kept as they are: convert it to UTF-8")
        return source

    @property
    def language(self) -> str:
        """The language that the file's name tells."""
        return language_of(self.path)

    @cached_property
    def _lines(self) -> list[tuple[str, bytes]]:
        """Each line's text and its bytes, with the line ending they have."""
        raw = _LINE.findall(self.data.removeprefix(codecs.BOM_UTF8))
        # One decoder for all lines: in some encodings a line depends on the one before it.
        decoder = codecs.getincrementaldecoder(self.encoding)()
        return [(decoder.decode(line).rstrip("\r\n"), line) for line in raw]

    def encode(self, text: str) -> bytes:
        """A new text as bytes of this file: lines that it shares with the old one byte by byte, the others with the
        file's own line ending, and the end of the file as it was.

        What the encoding cannot hold is written as an escape that means the same in a string literal. A text that
        declares another encoding is written in that.
        """
        text = re.sub(r"\r\n?", "\n", text).removeprefix("\ufeff")
        if text == self.text:
            return self.data
        mark = codecs.BOM_UTF8 if self.data.startswith(codecs.BOM_UTF8) else b""
        encoding = self.encoding if mark else _known(coding(text)) or "utf-8"
        ending = Counter(_ending(line) for _, line in self._lines if _ending(line)).most_common(1)
        usual = ending[0][0] if ending else b"\n"
        body = text.rstrip("\n")
        size = len(self.text) - len(self.text.rstrip("\n"))
        new = body.split("\n")
        old = [line for line, _ in self._lines]
        made = [line.encode(encoding, "backslashreplace") + usual for line in new]
        if encoding == self.encoding:
            for start, first, length in shared(old, new):
                for at in range(length):
                    raw = self._lines[start + at][1]
                    made[first + at] = raw if _ending(raw) else raw + usual
        last = made[-1].removesuffix(_ending(made[-1]))
        trailing = [line for _, line in self._lines[len(self._lines) - size + 1 :]] if size else []
        before = _ending(made[-1]) if size else b""
        return mark + _joined([*made[:-1], last + before, *trailing])

    def patch(self, text: str) -> bytes:
        """A unified diff to a new text that `git apply` takes; empty where nothing changes.

        Names are relative to the root of the repository that the file is in, else to the working folder.
        """
        new = self.encode(text)
        if new == self.data:
            return b""
        name = _named(self.path)
        head = f"diff --git {_quoted(f'a/{name}')} {_quoted(f'b/{name}')}\n"
        names = f"--- {_quoted(f'a/{name}')}\n+++ {_quoted(f'b/{name}')}\n"
        return os.fsencode(head + names) + _hunks(_split(self.data), _split(new))

    def check_writable(self) -> None:
        """Find out whether the file can be replaced. Raises UsageError; to be called before anything is spent."""
        check_writable(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against another refiner until the end of the block.

        Raises UsageError where another one holds it, or where the file changed since it was read.
        """
        import fcntl

        try:
            handle = self.path.open("rb")
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"another refiner is repairing {self.path}: wait for it, or leave -i out") from error
            except OSError as error:
                raise UsageError(f"{self.path} cannot be locked ({error.strerror}): leave -i out") from error
            self._check_unchanged()
            yield

    def write_back(self, text: str, *, backup: bool = True) -> Path | None:
        """Replace the file in one step by the new text, with its mode and owner, and return where the old one is kept.

        None where there is nothing to change or no backup is wanted. Raises UsageError where the file changed since it
        was read or cannot be replaced; it is then left as it is. To be called within `locked()`.
        """
        self._check_unchanged()
        new = self.encode(text)
        return None if new == self.data else replace(self.path, new, backup=self.data if backup else None)

    def _check_unchanged(self) -> None:
        try:
            now = self.path.read_bytes()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read any more: {error.strerror}") from error
        if now != self.data:
            raise UsageError(f"{self.path} was changed since refiner read it, and is left as it is: solve it again")


def of_program(path: Path, program: str | None) -> Source | None:
    """A file that holds a given program, whose bytes a new one keeps; None for any other."""
    with suppress(RefinerError):  # what cannot be read is not the program
        if path.is_file() and (source := Source.read(path)).text == program:
            return source
    return None


def language_of(path: Path) -> str:
    """The language that a file's name tells, as a fenced block would be labelled; Python if it tells none."""
    return _LANGUAGES.get(path.suffix.lower(), "python")


def write_to(path: Path, text: str, source: Source | None = None) -> None:
    """Write a program to a file in one step, as the bytes that it has in its source; a device or pipe is written to.

    An existing file keeps its mode, a new one gets the source's. Raises UsageError.
    """
    fresh = not path.exists()
    replace(path, source.encode(text) if source else text.encode("utf-8", "backslashreplace"))
    if fresh and source and source.path.is_file():
        path.chmod(stat.S_IMODE(source.path.stat().st_mode))


def _encoding(data: bytes, path: Path) -> str:
    marked = data.startswith(codecs.BOM_UTF8)
    declared = coding(b"\n".join(data.removeprefix(codecs.BOM_UTF8).splitlines()[:2]).decode("latin-1"))
    known = _known(declared)
    if declared and known is None:
        raise UsageError(f'{path} declares the encoding "{declared}", which Python does not know: convert it to UTF-8')
    if marked and known not in (None, "utf-8"):
        raise UsageError(f"{path} has the byte order mark of UTF-8 and declares {declared}: remove one of them")
    return known or "utf-8"


def _known(encoding: str | None) -> str | None:
    """Python's own name of an encoding of text; None for another word."""
    try:
        # Not all codecs are encodings of text: rot13 and hex are none.
        name = codecs.lookup(encoding).name if encoding and isinstance("".encode(encoding), bytes) else None
    except (LookupError, UnicodeError):
        return None
    return "utf-8" if name == "utf-8-sig" else name


def _not_encoded(path: Path, encoding: str, at: int) -> str:
    if encoding == "utf-8":
        return f"{path} is not UTF-8 (byte {at}): convert it first, for example with iconv -t UTF-8"
    return f"{path} is not {encoding} (byte {at}), which its first lines declare: mend one of them"


def _ending(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _joined(lines: Iterable[bytes]) -> bytes:
    made: list[bytes] = []
    for line in lines:
        if line.startswith(b"\n") and made and made[-1].endswith(b"\r"):
            made.append(b"\n")  # lest the ends of two lines become the end of one
        made.append(line)
    return b"".join(made)


def _hunks(old: list[bytes], new: list[bytes]) -> bytes:
    # Without the ends that are the same, a long file of lines that repeat is compared as well as a short one.
    start, end = (max(size - _CONTEXT, 0) for size in edges(old, new))
    lines = [*diff_bytes(unified_diff, old[start : len(old) - end], new[start : len(new) - end], n=_CONTEXT)][2:]
    moved = (
        _HUNK.sub(lambda at: b"@@ -%d%s +%d" % (int(at[1]) + start, at[2], int(at[3]) + start), line, count=1)
        if line.startswith(b"@@ ")
        else line
        for line in lines
    )
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in moved)


def _split(data: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+\Z", data)


def _named(path: Path) -> str:
    """The file's name as a patch gives it."""
    target = path.resolve()
    root = next((above for above in target.parents if (above / ".git").exists()), Path.cwd().resolve())
    return (target.relative_to(root) if target.is_relative_to(root) else Path(target.name)).as_posix()


def _quoted(name: str) -> str:
    """A name as git writes it: in quotes where it has quotes, backslashes or control characters."""
    if not re.search(r'["\\\x00-\x1f\x7f]', name):
        return name
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c, f"\\{ord(c):03o}" if ord(c) < 32 or ord(c) == 127 else c) for c in name) + '"'
