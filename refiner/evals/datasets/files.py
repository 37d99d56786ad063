"""The rows of a file: JSON lines, JSON, CSV and Parquet, one after another, each with the place where it stands."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from refiner.domain.errors import NotFoundError, UsageError
from refiner.evals.lines import LONGEST, numbered, objects

MOST_JSON = 200_000_000
"""Bytes of a file that is one JSON value, and so is read whole."""

Row = tuple[str, dict[str, Any]]
"""Where a row stands, to begin an error with, and its fields."""


def rows(path: Path, header: Sequence[str] | None = None) -> Iterator[Row]:
    """The rows of a file, by its suffix. header: the columns of a CSV file that does not name them.

    Raises NotFoundError, and UsageError for what is no such file.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    match suffix:
        case ".jsonl" | ".ndjson":
            return ((f"{path}:{number}", row) for number, row in objects(path))
        case ".json":
            return _json(path)
        case ".csv" | ".tsv":
            return _csv(path, "\t" if suffix == ".tsv" else ",", header)
        case ".parquet":
            return _parquet(path)
        case _:
            raise UsageError(f"{path} is no data set: it has to end in .jsonl, .json, .csv, .tsv or .parquet")


def _json(path: Path) -> Iterator[Row]:
    """An array of objects, or an object with one array of them, such as BIG-Bench Hard's "examples"."""
    from pydantic_core import from_json

    if path.is_file() and path.stat().st_size > MOST_JSON:
        raise UsageError(f"{path} is too large for one JSON value: make it lines of JSON, with the suffix .jsonl")
    text = "".join(line for _, line in numbered(path))
    try:
        told = from_json(text)
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from None
    lists = [value for value in told.values() if isinstance(value, list)] if isinstance(told, dict) else [told]
    if len(lists) != 1 or not isinstance(lists[0], list) or not all(isinstance(row, dict) for row in lists[0]):
        raise UsageError(f"{path} holds no array of objects")
    for number, row in enumerate(lists[0], 1):
        yield f"{path}: row {number}", row


def _csv(path: Path, delimiter: str, header: Sequence[str] | None) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    reader = csv.reader((line for _, line in numbered(path)), delimiter=delimiter, strict=True)
    began = 1
    try:
        for cells in reader:
            if header is None:
                header = [name.strip() for name in cells]
            elif cells:
                if len(cells) != len(header):
                    raise UsageError(f"{path}:{began}: {len(cells)} fields, where there are {len(header)} columns")
                yield f"{path}:{began}", dict(zip(header, cells, strict=True))
            began = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{path}:{began}: not CSV: {error}") from None


def _parquet(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UsageError(
            f"{path}: Parquet needs pyarrow: pip install 'refiner[parquet]', or make it lines of JSON"
        ) from None
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}: row {number}", row
    except (ArrowException, OSError) as error:
        raise UsageError(f"{path}: not Parquet: {' '.join(str(error).split())}") from None
