"""More than the scratch may hold: in files, in files without a name, in many small ones."""

import json
import os
import sys
import time

told = json.loads(sys.argv[1])
most = told["limits"]["scratch"]
piece = b"x" * (1 << 20)
held: list[int] = []
taken = 0
try:
    while taken <= 2 * most:
        descriptor = os.open(f"file{len(held)}", os.O_RDWR | os.O_CREAT)
        os.unlink(f"file{len(held)}")
        held.append(descriptor)
        for _ in range(4):
            taken += os.write(descriptor, piece)
    time.sleep(2)
    print("BROKEN files without a name", taken)
except OSError as error:
    print(taken, error)
try:
    descriptor = os.open(".", os.O_RDWR | os.O_TMPFILE)
    for _ in range(2 * most >> 20):
        os.write(descriptor, piece)
    time.sleep(2)
    print("BROKEN temporary file")
except OSError as error:
    print("temporary file", error)
for folder in ("/var/tmp", "/dev", "/run", "/", os.path.expanduser("~"), "/tmp"):
    try:
        with open(f"{folder}/{told['name']}", "w") as file:
            file.write("x")
        if os.path.realpath(folder) not in (os.path.realpath(os.getcwd()), "/tmp"):
            print("BROKEN", folder)
    except OSError as error:
        print(folder, error)
