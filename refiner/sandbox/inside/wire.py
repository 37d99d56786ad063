"""Frames on a socket: four bytes of length, most significant first, then the message."""

import socket


class ClosedError(Exception):
    """The other side of the channel is gone."""


def write(channel: socket.socket, message: bytes) -> None:
    """Send one message. Raises ClosedError."""
    try:
        channel.sendall(len(message).to_bytes(4, "big") + message)
    except OSError as error:
        raise ClosedError from error


def read(channel: socket.socket) -> bytes:
    """Wait for one message. Raises ClosedError."""
    return _exactly(channel, int.from_bytes(_exactly(channel, 4), "big"))


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = channel.recv(min(size, 1 << 20))
        except OSError as error:
            raise ClosedError from error
        if not part:
            raise ClosedError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
