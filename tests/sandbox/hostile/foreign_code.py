"""Calls by the door of another architecture, where numbers mean something else: that ends the program."""

import ctypes
import mmap
import os
import sys

if os.uname().machine != "x86_64":
    sys.exit()
libc = ctypes.CDLL(None, use_errno=True)
for name in ("x32", "int80"):
    if os.fork() == 0:
        if name == "x32":
            # getpid, which would do no harm.
            libc.syscall(ctypes.c_long(0x40000000 | 39))
        else:
            # mov eax, 20 (getpid of i386); int 0x80; ret
            page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
            ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os._exit(0)
    _, status = os.wait()
    if os.WIFEXITED(status):
        print("BROKEN", name)
