"""The filter of system calls, run here as the kernel would run it, for both architectures."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.sandbox import seccomp
from refiner.sandbox.syscalls import FREE, RULED, Machine

ARCHITECTURE: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = "allow", "kill"
OLD, NEW = (
    seccomp.shared(signals_scoped=False, truncation_held=False),
    seccomp.shared(signals_scoped=True, truncation_held=True),
)
MOST_INSTRUCTIONS = 4096


def verdict(program: bytes, architecture: int, number: int, *operands: int) -> str | int:
    """What becomes of a call: allow, kill, or the error that it gives."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *operands, *[0] * (6 - len(operands)))
    place = accumulator = 0
    while True:
        operation, then, otherwise, value = struct.unpack_from("=HBBI", program, 8 * place)
        place += 1
        match operation:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x54:
                accumulator &= value
            case 0x15:
                place += then if accumulator == value else otherwise
            case 0x25:
                place += then if accumulator > value else otherwise
            case 0x35:
                place += then if accumulator >= value else otherwise
            case 0x05:
                place += value
            case 0x06:
                kinds: dict[int, str] = {0x7FFF0000: ALLOW, 0x80000000: KILL}
                return kinds.get(value & 0xFFFF0000) or int(value & 0xFFFF)
            case _:
                raise AssertionError(hex(operation))


def called(rules: dict[str, tuple[seccomp.Rule, ...]], target: Machine, name: str, *operands: int) -> str | int:
    number = (FREE | RULED)[name][target]
    return verdict(seccomp.assemble(rules, target), ARCHITECTURE[target], number, *operands)


@pytest.mark.parametrize("target", ["x86_64", "aarch64"])
@pytest.mark.parametrize("rules", [seccomp.namespaced(), OLD, NEW])
def test_what_every_cell_may_do_and_what_none_may(rules: dict[str, tuple[seccomp.Rule, ...]], target: Machine) -> None:
    assert len(seccomp.assemble(rules, target)) // 8 < MOST_INSTRUCTIONS
    for name in ("read", "mmap", "execve", "futex", "exit_group", "wait4", "close_range"):
        assert called(rules, target, name) == ALLOW
    assert called(rules, target, "clone", 17) == ALLOW
    assert called(rules, target, "clone", 0x3D0F00) == ALLOW, "a thread"
    for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000, 0x8000):
        assert called(rules, target, "clone", flag | 17) == errno.EPERM
    assert called(rules, target, "socketpair", 1, 1 | 0o2000000) == ALLOW
    assert called(rules, target, "socketpair", 1, 2) == errno.EPERM
    assert called(rules, target, "socketpair", 2, 1) == errno.EPERM
    assert called(rules, target, "ioctl", 0, 0x5401) == ALLOW
    assert called(rules, target, "ioctl", 0, 0x5412) == errno.ENOTTY
    assert called(rules, target, "fcntl", 0, 8) == errno.EPERM
    assert called(rules, target, "prctl", 1) == errno.EPERM
    assert called(rules, target, "prlimit64", 0) == ALLOW
    assert called(rules, target, "prlimit64", 1) == errno.EPERM
    program = seccomp.assemble(rules, target)
    for number in (425, 435, 437, 438, 500, 100_000):
        assert verdict(program, ARCHITECTURE[target], number) == errno.ENOSYS
    for architecture in (0x40000003, 0x40000028, 0, ARCHITECTURE["aarch64" if target == "x86_64" else "x86_64"]):
        assert verdict(program, architecture, 0) == KILL
    assert (verdict(program, ARCHITECTURE[target], 0x40000000) == KILL) == (target == "x86_64")


def test_what_the_layers_differ_in() -> None:
    own = seccomp.namespaced()
    assert (
        called(own, "x86_64", "setsid") == called(own, "x86_64", "chmod") == called(own, "x86_64", "kill", 7) == ALLOW
    )
    for shared in (OLD, NEW):
        assert called(shared, "x86_64", "setsid") == called(shared, "x86_64", "setpgid") == errno.EPERM
        assert called(shared, "x86_64", "chmod") == called(shared, "aarch64", "utimensat") == 0
        assert called(shared, "x86_64", "chown") == errno.EPERM
        assert called(shared, "x86_64", "openat", 0, 0, 0o101) == ALLOW
        assert called(shared, "x86_64", "openat", 0, 0, 0o20200002) == errno.EOPNOTSUPP, "a file without a name"
    assert called(NEW, "x86_64", "kill", 7, 9) == called(NEW, "x86_64", "truncate") == ALLOW
    assert called(OLD, "x86_64", "kill", 0, 9) == ALLOW
    assert called(OLD, "x86_64", "kill", 7, 9) == called(OLD, "x86_64", "kill", 0xFFFFFFFF, 9) == errno.EPERM
    assert called(OLD, "x86_64", "tgkill", 7, 7) == called(OLD, "x86_64", "truncate") == errno.EPERM
    assert called(OLD, "x86_64", "openat", 0, 0, 0o1000) == errno.EPERM, "truncation of what is opened for reading"
    assert called(OLD, "x86_64", "open", 0, 0o1101) == ALLOW


@given(st.integers(0, 1000), st.sampled_from(["x86_64", "aarch64"]))
def test_no_number_is_let_through_that_no_table_names(number: int, target: Machine) -> None:
    named = {numbers[target] for numbers in (FREE | RULED).values() if target in numbers}
    program = seccomp.assemble(seccomp.namespaced(), target)
    assert number in named or verdict(program, ARCHITECTURE[target], number) in (errno.EPERM, errno.ENOSYS)


def test_every_ruled_call_is_known() -> None:
    for rules in (seccomp.namespaced(), OLD, NEW):
        assert set(rules) <= set(FREE | RULED)
