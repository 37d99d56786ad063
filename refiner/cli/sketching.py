"""The form of the terminal UI for a new run: files are read here, where the user's are."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from refiner.app.source import Source, language_of
from refiner.app.suite import suite_of
from refiner.domain.errors import RefinerError
from refiner.tui.source import FormError, Sketch


def body_of(sketch: Sketch) -> Mapping[str, Any]:
    """What `POST /v1/runs` takes for a form. Raises FormError that names the field."""
    tests = Path(sketch.tests).expanduser() if sketch.tests else None
    with _about("file"):
        source = Source.read(Path(sketch.file).expanduser()) if sketch.file else None
        code = source is not None and (tests is not None or source.path.suffix == ".py")
        if code and source and source.language != "python":
            raise FormError(
                "file", f"{source.path} is {source.language}: in a shell, `refiner solve --check` judges it"
            )
    text = sketch.task.strip()
    if source is not None and code:
        text = text or f"Find what is wrong in {source.path.name} and mend it."
    elif source is not None:
        text = f"{text}\n\n{source.text}" if text else source.text
    if not text:
        raise FormError("task", "say what is to be solved, or name a file")
    body: dict[str, Any] = {"input": text, "settings": _settings(sketch)}
    if source is not None and code:
        body["program"] = source.text
    if tests is not None:
        with _about("tests"):
            suite = suite_of(tests, None, source)
            if source is not None:
                suite = replace(suite, language=language_of(source.path), program=source.path.name)
        body["suite"] = asdict(suite)
    return body


def _settings(sketch: Sketch) -> dict[str, Any]:
    said: dict[str, Any] = {"strategy": sketch.strategy, "model": sketch.model}
    said["max_calls"] = _number("calls", sketch.calls, int, "a whole number above 0, such as 20", 1)
    said["max_cost"] = _number("cost", sketch.cost, float, "US dollars, such as 0.50", 0)
    return {name: value for name, value in said.items() if value not in ("", None)}


def _number(field: str, text: str, kind: Callable[[str], float], wanted: str, least: float) -> float | None:
    if not text.strip():
        return None
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not least <= number < float("inf"):
        raise FormError(field, wanted)
    return number


@contextmanager
def _about(field: str) -> Iterator[None]:
    try:
        yield
    except FormError:
        raise
    except RefinerError as error:
        raise FormError(field, str(error)) from error
