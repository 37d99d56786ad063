"""The filter of kernel calls: a list of what is allowed, assembled into classic BPF.

See seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst; the loader is `inside/kernel.py`.
"""

import errno
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from refiner.domain.errors import SandboxError
from refiner.sandbox.syscalls import FREE, RULED, Machine

_ARCHITECTURE: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
"""The bit in the number of a call from x32 code, which shares x86-64's architecture."""

_NUMBER, _ARCH, _OPERANDS = 0, 4, 16
_LOAD, _AND, _JUMP, _EQUAL, _ABOVE, _FROM, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_FIRST_COMMON = 424
"""From here on all architectures number alike. These calls are young: code expects to hear that there is none."""

_NAMESPACES = 0x7E020000
_SAME_PARENT = 0x8000
_TEMPORARY, _TRUNCATING, _ACCESS_MODE = 0x400000, 0o1000, 3


@dataclass(frozen=True, slots=True)
class Rule:
    """A call passes when the operand, masked, is one of these values (or none of them); otherwise its error is given.

    operand: its place; the lower 32 bits are looked at, which is all that these calls use. An error of 0 pretends that
    the call was made.
    """

    operand: int
    values: tuple[int, ...]
    error: int = errno.EPERM
    mask: int = 0xFFFFFFFF
    listed: bool = True


def _allowed(operand: int, *values: int, error: int = errno.EPERM, mask: int = 0xFFFFFFFF) -> Rule:
    return Rule(operand, values, error, mask)


def _refused(operand: int, *values: int, error: int = errno.EPERM, mask: int = 0xFFFFFFFF) -> Rule:
    return Rule(operand, values, error, mask, listed=False)


_PRETENDED = Rule(0, (), 0)

_ALWAYS: dict[str, tuple[Rule, ...]] = {
    # No namespaces, no child that becomes a child of somebody else.
    "clone": (_allowed(0, 0, mask=_NAMESPACES | _SAME_PARENT),),
    # TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2: nothing that changes a file.
    "ioctl": (_allowed(1, 0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A, error=errno.ENOTTY),),
    # Duplicates, flags and locks. A signal to the owner of a descriptor would reach other processes.
    "fcntl": (_allowed(1, 0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1034),),
    # Names, and what only asks or only takes away; above all not the signal at the parent's death.
    "prctl": (_allowed(0, 3, 15, 16, 21, 23, 30, 38, 39, 40, 0x53564D41),),
    "personality": (_allowed(0, 0, 0xFFFFFFFF),),
    "prlimit64": (_allowed(0, 0),),
    "sched_setaffinity": (_allowed(0, 0),),
    # A pair of streams within the cell; a datagram socket of a pair could still send to any address.
    "socketpair": (_allowed(0, 1), _allowed(1, 1, mask=0xF)),
}
_METADATA = ("chmod", "fchmod", "fchmodat", "utime", "utimes", "futimesat", "utimensat")
_OWN_FILES = (*_METADATA, "truncate", "chown", "fchown", "lchown", "fchownat")
_OWN_PROCESSES = ("kill", "tkill", "tgkill", "setsid", "setpgid")


def namespaced() -> dict[str, tuple[Rule, ...]]:
    """For a cell with process and mount namespaces of its own: there is nobody else to signal, no file of others."""
    return _ALWAYS | dict.fromkeys((*_OWN_FILES, *_OWN_PROCESSES), ())


def shared(*, signals_scoped: bool, truncation_held: bool) -> dict[str, tuple[Rule, ...]]:
    """For a cell that Landlock holds, among the user's other processes and files.

    It stays in its process group, by which it is ended. Landlock does not hold back a change of modes and times of any
    file of the user's, so those calls are not made, and say that they were. signals_scoped, truncation_held: whether
    this kernel's Landlock keeps signals within the cell, and files from being truncated.
    """
    rules = _ALWAYS | dict.fromkeys(_METADATA, (_PRETENDED,))
    # A file without a name could not be counted against the scratch.
    for name, operand in (("open", 1), ("openat", 2)):
        named = _allowed(operand, 0, error=errno.EOPNOTSUPP, mask=_TEMPORARY)
        reading = _refused(operand, _TRUNCATING, mask=_TRUNCATING | _ACCESS_MODE)
        rules[name] = (named,) if truncation_held else (named, reading)
    if truncation_held:
        rules["truncate"] = ()
    # Where signals are not held, only the whole cell can be signalled, by itself.
    rules |= dict.fromkeys(("kill", "tkill", "tgkill"), ()) if signals_scoped else {"kill": (_allowed(0, 0),)}
    return rules


def machine() -> Machine:
    """This machine's architecture. Raises SandboxError for one that there is no table for."""
    name = platform.machine()
    for known in _ARCHITECTURE:
        if known == name:
            return known
    raise SandboxError(f"no filter of system calls for {name}: only x86-64 and arm64 have a sandbox")


def assemble(rules: dict[str, tuple[Rule, ...]], target: Machine) -> bytes:
    """The program: code of a foreign architecture is killed, calls are allowed, refused, or unknown (ENOSYS)."""
    code = [
        *_instruction(_LOAD, _ARCH),
        *_instruction(_EQUAL, _ARCHITECTURE[target], 1, 0),
        *_instruction(_RETURN, _KILL),
        *_instruction(_LOAD, _NUMBER),
    ]
    if target == "x86_64":
        code += [*_instruction(_FROM, _X32, 0, 1), *_instruction(_RETURN, _KILL)]
    known = FREE | RULED
    free = {numbers[target] for name, numbers in FREE.items() if target in numbers and name not in rules}
    for name, held in rules.items():
        number = known[name].get(target)
        if number is None:
            continue
        if not held:
            free.add(number)
            continue
        body = [instruction for rule in held for instruction in _tested(rule)] + _instruction(_RETURN, _ALLOW)
        code += [*_instruction(_EQUAL, number, 0, len(body)), *body]
    for first, last in _ranges(sorted(free)):
        # Not below it, not above it: allowed.
        code += [
            *_instruction(_FROM, first, 0, 2),
            *_instruction(_ABOVE, last, 1, 0),
            *_instruction(_RETURN, _ALLOW),
        ]
    code += [
        *_instruction(_FROM, _FIRST_COMMON, 1, 0),
        *_instruction(_RETURN, _ERRNO | errno.EPERM),
        *_instruction(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    return b"".join(code)


def _tested(rule: Rule) -> list[bytes]:
    """Fall out at the end where the rule lets the call through."""
    refusal = _instruction(_RETURN, _ERRNO | rule.error)
    if not rule.values:
        return refusal
    code = _instruction(_LOAD, _OPERANDS + 8 * rule.operand)
    if rule.mask != 0xFFFFFFFF:
        code += _instruction(_AND, rule.mask)
    for place, value in enumerate(rule.values):
        left = len(rule.values) - place - 1
        # A match jumps over one more: the refusal when the values are allowed, the jump around it when they are not.
        code += _instruction(_EQUAL, value, left + 1, 0)
    if not rule.listed:
        code += _instruction(_JUMP, 1)
    return code + refusal


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def _instruction(operation: int, value: int, then: int = 0, otherwise: int = 0) -> list[bytes]:
    return [struct.pack("=HBBI", operation, then, otherwise, value)]
