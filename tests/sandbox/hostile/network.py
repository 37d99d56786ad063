"""Every way out that a socket could be."""

import json
import socket
import sys

told = json.loads(sys.argv[1])
for family in range(46):
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind).close()
        except OSError:
            continue
        print("BROKEN socket", family, kind)
for kind in (2, 5):
    try:
        socket.socketpair(socket.AF_UNIX, kind)
        print("BROKEN pair", kind)
    except OSError:
        pass
one, other = socket.socketpair()
for address in (told["socket"], told["datagram"], "\0" + told["abstract"]):
    for attempt in (one.connect, lambda to: one.sendto(b"x", to), one.bind):
        try:
            attempt(address)
            print("BROKEN", attempt, address)
        except OSError:
            pass
one.sendall(b"x")
if other.recv(1) != b"x":
    print("BROKEN a pair is no pair")
