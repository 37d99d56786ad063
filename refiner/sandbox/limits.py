"""What a cell may use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one cell; seconds and bytes.

    wall: from its opening to its end. cpu: of any one process, and of all together. memory: of any one process, and of
    all together, where pages that processes share count once. processes: at a time, threads among them. file_size: of
    any one file. scratch, inodes: of all that it writes. output: what is kept of its two streams; the rest is read and
    thrown away. flood: the output that ends it. frame: the longest message taken from it.
    """

    wall: float = 10.0
    cpu: float = 10.0
    memory: int = 512 << 20
    processes: int = 48
    file_size: int = 32 << 20
    scratch: int = 64 << 20
    inodes: int = 4096
    output: int = 64 << 10
    flood: int = 16 << 20
    frame: int = 8 << 20
