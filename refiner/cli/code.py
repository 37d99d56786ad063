"""The code side of `solve`: what is to be mended or written, and where the program goes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refiner.cli import errors, output
from refiner.cli.inputs import read_input, read_pipe
from refiner.domain.errors import UsageError

if TYPE_CHECKING:
    from refiner.app.source import Source
    from refiner.domain.result import Result
    from refiner.domain.task import Task


@dataclass(frozen=True)
class Target:
    """Where a program goes: standard output, a file, the file that it came from, or a patch."""

    source: "Source | None" = None
    file: Path | None = None
    in_place: bool = False
    patch: bool = False

    @property
    def goes_elsewhere(self) -> bool:
        """Whether standard output has no part in it."""
        return self.in_place or self.file is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make sure that the answer will have a place, before anything is spent. Raises UsageError."""
        from refiner.app.disk import check_writable

        if (self.in_place or self.patch) and (self.source is None or not self.source.path.is_file()):
            raise UsageError(f"{'-i' if self.in_place else '--patch'} needs a file of code as its input")
        if self.in_place and (self.file or self.patch):
            raise UsageError(f"-i writes the file itself: leave {'-o' if self.file else '--patch'} out")
        if self.file:
            check_writable(self.file)
        if self.in_place and self.source:
            self.source.check_writable()
            with self.source.locked():
                yield
        else:
            yield

    def deliver(self, result: "Result", *, backup: bool, quiet: bool) -> None:
        """Put the answer in its place; a file is replaced only by a program that solves the task."""
        from refiner.app.disk import replace
        from refiner.app.source import write_to

        program = result.answer or ""
        if self.in_place and self.source:
            if result.exit != 0:
                errors.note(f"{self.source.path} is left as it is: no program solves the task")
                return
            kept = self.source.write_back(program, backup=backup)
            told = f"wrote {self.source.path}" + (f", the old one is {kept}" if kept else "")
        elif self.file:
            made = self.source.patch(program) if self.patch and self.source else None
            if made is not None:
                replace(self.file, made)
            else:
                write_to(self.file, program, self.source)
            told = f"wrote {self.file}"
        else:
            output.code(self._bytes(program))
            return
        if not quiet:
            errors.note(told)

    def _bytes(self, program: str) -> bytes:
        if self.source is None:
            return program.encode("utf-8", "backslashreplace")
        return self.source.patch(program) if self.patch else self.source.encode(program)


def code_task(
    word: str | None,
    flags: Mapping[str, object],
    answer_type: str,
    note: Callable[[str], None],
    target: Path | None = None,
) -> "tuple[Task, Source | None] | None":
    """The code task that a command line sets, and the program's source; None where it sets another task.

    It does with --tests, with --check, with --answer-type code, and where the input is a Python file. target: where the
    program goes; a new one that --check judges is of the language that this name tells.
    """
    tests, check = flags.get("tests"), flags.get("check")
    file = Path(word) if word and word != "-" and _is_file(word) else None
    named = answer_type == "auto" and file is not None and file.suffix == ".py"
    if not (tests or check or named or answer_type == "code"):
        return None
    from dataclasses import replace

    from refiner.app.plan import task_of
    from refiner.app.source import language_of
    from refiner.app.suite import suite_of

    text, source = _read(word, file, note)
    if source is not None and source.language != "python" and not check:
        raise UsageError(f"{source.path} is {source.language}: give --check, a command that judges it")
    suite = suite_of(Path(str(tests)) if tests else None, str(check) if check else None, source)
    path = source.path if source is not None else target if check else None
    if path is not None:
        suite = replace(suite, language=language_of(path), program=path.name if path.suffix else suite.program)
    program = source.text if source is not None else None
    return task_of(text, answer_type, program, suite if tests or check else None), source


def _read(word: str | None, file: Path | None, note: Callable[[str], None]) -> "tuple[str, Source | None]":
    """What is said about the program, and the program where there is one."""
    from refiner.app.source import Source
    from refiner.verify.syntax import is_program

    if file is not None:
        source = Source.read(file)
        if source.language != "python" or file.suffix == ".py" or is_program(source.text):
            return f"Find what is wrong in {file.name} and mend it.", source
        return source.text, None
    piped = read_pipe(word, note)
    if piped is None:
        return read_input(word, note), None
    source = Source.of(Path("-"), piped)
    if not is_program(source.text):
        return (source.text if word in (None, "-") else f"{word}\n\n{source.text}"), None
    return ("Find what is wrong in the program and mend it." if word in (None, "-") else str(word)), source


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False
