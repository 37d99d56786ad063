"""Where things lie in this cell; the zygote says so before a cell begins."""

scratch: str = "/tmp"
"""The folder of its own, empty at the start; also its working folder and its home."""

project: str | None = None
"""The user's project, read-only."""

packages: tuple[str, ...] = ()
"""The third-party packages of the user's environment, read-only; they are on `sys.path`."""
