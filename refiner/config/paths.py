"""The folders that refiner reads and writes. A folder is made when something is written to it, never before."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from refiner.domain.errors import StoreError, UsageError


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything lies.

    config holds the user's settings, data the database, state the log, runtime what one boot needs, cache what can be
    made again, and models the weights. database is an SQLAlchemy URL, own_socket what REFINER_SOCKET says.
    """

    config: Path
    data: Path
    state: Path
    runtime: Path
    cache: Path
    models: Path
    database: str
    own_socket: Path | None = None

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> "Paths":
        """The paths that the environment asks for: below REFINER_HOME, otherwise the platform's.

        Weights stay in the user's cache even then, for they are large and the same for everyone; only where that
        cannot be written do they follow REFINER_HOME. REFINER_DB moves the database alone.
        """
        import platformdirs

        platform = platformdirs.PlatformDirs("refiner", appauthor=False)
        if home := environ.get("REFINER_HOME"):
            root = _absolute(home)
            config, data, state, runtime, cache = (
                root / name for name in ("config", "data", "state", "runtime", "cache")
            )
        else:
            config, data, state = platform.user_config_path, platform.user_data_path, platform.user_state_path
            # platformdirs would make a folder in /tmp, and warn, where the session has no runtime folder.
            session = environ.get("XDG_RUNTIME_DIR")
            runtime = Path(session) / "refiner" if session else state / "run"
            cache = platform.user_cache_path
        shared = platform.user_cache_path
        models = (shared if writable(shared) else cache) / "models"
        database = environ.get("REFINER_DB") or f"sqlite:///{data / 'refiner.db'}"
        own = environ.get("REFINER_SOCKET")
        return cls(config, data, state, runtime, cache, models, database, Path(own).absolute() if own else None)

    def moved(self, *, models: Path | None = None, database: str | None = None) -> "Paths":
        """The same paths with what the settings say otherwise."""
        return replace(self, models=models or self.models, database=database or self.database)

    @property
    def database_file(self) -> Path | None:
        """The file of an SQLite database; None for a server's or one in memory."""
        scheme, _, file = self.database.partition(":///")
        sqlite = scheme.partition("+")[0] == "sqlite"
        return Path(file.partition("?")[0]) if sqlite and file and not file.startswith(":memory:") else None

    @property
    def socket(self) -> Path:
        """Where the service listens."""
        return self.own_socket or self.runtime / "refiner.sock"

    @property
    def log(self) -> Path:
        """Where the traceback of a bug goes."""
        return self.state / "refiner.log"


def exists(path: Path) -> bool:
    """Whether something lies there; False below a folder that cannot be entered, where Path.exists raises."""
    return os.access(path, os.F_OK)


def made(folder: Path) -> Path:
    """The folder, made with mode 0700 along with its missing parents.

    Raises StoreError where that is not possible.
    """
    missing = [path for path in (folder, *folder.parents) if not exists(path)]
    try:
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make {folder}: {error.strerror}; set REFINER_HOME to a folder that can be written"
        ) from error
    if not writable(folder):
        raise StoreError(f"cannot write to {folder}; set REFINER_HOME to a folder that can be written")
    return folder


def _absolute(home: str) -> Path:
    try:
        return Path(home).expanduser().absolute()
    except RuntimeError as error:
        raise UsageError(f"REFINER_HOME names a home that is not there: {home}") from error


def writable(folder: Path) -> bool:
    """Whether something can be made in the folder, or the folder itself."""
    nearest = next(path for path in (folder, *folder.parents) if exists(path))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
