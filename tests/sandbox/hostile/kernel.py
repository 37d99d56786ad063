"""Calls that change more than the caller: each must be refused, whatever its operands are."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
X86 = {
    "ptrace": 101, "syslog": 103, "setuid": 105, "setgid": 106, "setgroups": 116, "capset": 126, "uselib": 134,
    "pivot_root": 155, "adjtimex": 159, "chroot": 161, "sync": 162, "acct": 163, "settimeofday": 164, "mount": 165,
    "umount2": 166, "swapon": 167, "reboot": 169, "sethostname": 170, "iopl": 172, "ioperm": 173,
    "init_module": 175, "delete_module": 176, "quotactl": 179, "setxattr": 188, "io_setup": 206,
    "lookup_dcookie": 212, "clock_settime": 227, "mbind": 237, "mq_open": 240, "kexec_load": 246, "add_key": 248,
    "request_key": 249, "keyctl": 250, "ioprio_set": 251, "inotify_init": 253, "migrate_pages": 256,
    "unshare": 272, "move_pages": 279, "vmsplice": 278, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "syncfs": 306,
    "sendmmsg": 307, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "seccomp": 317, "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    "execveat": 322, "connect": 42, "bind": 49, "listen": 50, "accept": 43, "sendmsg": 46, "shmget": 29,
    "semget": 64, "msgget": 68, "modify_ldt": 154,
}  # fmt: skip
ARM = {
    "ptrace": 117, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268, "bpf": 280,
    "keyctl": 219, "perf_event_open": 241, "userfaultfd": 282, "process_vm_readv": 270, "memfd_create": 279,
    "setuid": 146, "capset": 91, "seccomp": 277, "connect": 203, "bind": 200, "shmget": 194, "mq_open": 180,
}  # fmt: skip
YOUNG = dict.fromkeys(range(424, 470)) | {
    436: "close_range",
    439: "faccessat2",
    441: "epoll_pwait2",
    449: "futex_waitv",
}
calls = {"x86_64": X86, "aarch64": ARM}[os.uname().machine] | {
    f"number {number}": number for number, name in YOUNG.items() if name is None
}
for name, number in calls.items():
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6) >= 0:
        print("BROKEN", name)
    elif ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print("BROKEN", name, "was looked at:", errno.errorcode[ctypes.get_errno()])
clone = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    child = libc.syscall(ctypes.c_long(clone), ctypes.c_long(flag | 17), *[ctypes.c_long(0)] * 4)
    if child == 0:
        os._exit(0)
    if child > 0:
        print("BROKEN clone", hex(flag))
for option, name in (
    (1, "PDEATHSIG"),
    (36, "SUBREAPER"),
    (4, "DUMPABLE"),
    (24, "CAPBSET_DROP"),
    (0x59616D61, "PTRACER"),
):
    if libc.prctl(option, *[ctypes.c_ulong(1)] * 4) == 0:
        print("BROKEN prctl", name)
if libc.personality(ctypes.c_ulong(0x0040000)) >= 0:
    print("BROKEN personality")
