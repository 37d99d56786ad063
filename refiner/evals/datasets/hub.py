"""Data sets of a Hugging Face hub: `hub:OWNER/NAME[/FILES][@REVISION]`, kept in that hub's own cache."""

import logging
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from httpx2 import HTTPError

from refiner.domain.errors import AuthError, NotFoundError, ProviderError, UsageError

PREFIX = "hub:"
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz", ".json.gz", ".csv.gz", ".tsv.gz")

_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<files>[^@]+))?(?:@(?P<revision>.+))?")


def files(source: str) -> list[Path]:
    """The files of a set, fetched unless they are there. FILES is a pattern; without one the set has one file of data.

    HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE are heeded, for the library reads them. Raises UsageError where
    the library is missing or more than one file could be meant, NotFoundError, AuthError, and ProviderError where the
    hub cannot be reached and the cache does not have it all.
    """
    if (named := _NAME.fullmatch(source.removeprefix(PREFIX))) is None:
        raise UsageError(f'"{source}" names no set of a hub: write hub:OWNER/NAME, /FILES and @REVISION behind it')
    try:
        from huggingface_hub import HfApi, constants, snapshot_download
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        raise UsageError(f"{source}: the hub needs a library: pip install 'refiner[hub]', or give a file") from None
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    repo, pattern, revision = named["repo"], named["files"], named["revision"]
    try:
        if pattern is None:
            every = HfApi().list_repo_files(repo, repo_type="dataset", revision=revision)
            pattern = _only([name for name in every if name.endswith(SUFFIXES)], source)
        folder = Path(snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=pattern))
    except GatedRepoError:
        raise AuthError(f"{source} is given out on request: ask for it at the hub, and set HF_TOKEN") from None
    except LocalEntryNotFoundError as error:
        raise ProviderError(
            f"{source} is not here, and {constants.ENDPOINT} cannot be reached: {_said(error)}"
        ) from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403, 404):
            raise NotFoundError(f"{constants.ENDPOINT} has no {source}, or none without HF_TOKEN") from error
        raise ProviderError(f"{constants.ENDPOINT} answers {error.response.status_code} for {source}") from error
    except (HTTPError, OSError, ValueError) as error:
        raise ProviderError(f"{source} cannot be fetched from {constants.ENDPOINT}: {_said(error)}") from error
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found = sorted(name for name in names if fnmatchcase(name, pattern) and name.endswith(SUFFIXES))
    if not found:
        raise NotFoundError(f'{source}: no file of data is called "{pattern}"')
    return [folder / name for name in found]


def _only(names: Sequence[str], source: str) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(f"{source} has no file of data ({', '.join(SUFFIXES[:6])})")
    told = ", ".join(names[:5]) + (", …" if names[5:] else "")
    raise UsageError(f"{source} has {len(names)} files of data: name one, or several as a pattern, from {told}")


def _said(error: Exception) -> str:
    return " ".join(str(error.__cause__ or error).split())[:200]
