"""Listening over TCP, for those who were told to: the address, the names that it goes by, and the token."""

import os
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from refiner.config.paths import made
from refiner.domain.errors import DaemonError, UsageError
from refiner.service.listening import BACKLOG


@dataclass(frozen=True, slots=True)
class Tcp:
    """An address that is listened at: its host as the user named it, as a number, and its port."""

    sock: socket.socket
    host: str
    address: str
    port: int
    token: str = field(repr=False)

    @property
    def name(self) -> str:
        """As it stands in a URL."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def opened_by(self, authorization: str) -> bool:
        """Whether a header brings the token; how long this takes tells nothing of it."""
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and compare_digest(given.strip().encode(), self.token.encode())

    def goes_by(self, host: str) -> bool:
        """Whether a Host header means this address, and no name that was pointed at it (DNS rebinding).

        Raises ValueError for what is no host.
        """
        name, port = _split(host)
        if (port or 80) != self.port:
            return False
        own = ip_address(self.address)
        if name == "localhost":
            return own.is_loopback or own.is_unspecified
        try:
            asked = ip_address(name)
        except ValueError:
            return name == self.host
        return asked == own or own.is_unspecified or (own.is_loopback and asked.is_loopback)


@contextmanager
def bound(listen: str, state: Path) -> Iterator[Tcp]:
    """Listen at HOST:PORT, which the token in the folder `state` opens; port 0 takes a free one.

    Raises UsageError for what is no address and for a token that is none, DaemonError where nothing can listen there.
    """
    try:
        host, port = _split(listen)
    except ValueError:
        host, port = "", None
    if not host or port is None:
        raise UsageError(f'--listen takes HOST:PORT, such as 127.0.0.1:8123, not "{listen}"')
    token = token_of(token_file(state))
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        said = (error.strerror or str(error)).partition(" (")[0]  # Python adds the address
        raise DaemonError(f"cannot listen at {listen}: {said}; --listen takes another") from error
    with sock:
        own = sock.getsockname()
        yield Tcp(sock, host, own[0], own[1], token)


def token_file(state: Path) -> Path:
    """Where the token lies."""
    return state / "token"


def token_of(file: Path) -> str:
    """The token in a file that only its owner may read, made where there is none.

    Raises UsageError where others may read it, or it holds none.
    """
    made(file.parent)
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600), "r+") as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
                raise UsageError(f"others can read {file}: remove it, and the service makes a new token")
            if token := opened.read().strip():
                return token
            token = secrets.token_urlsafe(32)
            opened.write(token + "\n")
            return token
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: remove it, and the service makes a new token") from error


def _split(address: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{address}")
    if parts.netloc != address or "@" in address:
        raise ValueError(address)
    return parts.hostname or "", parts.port
