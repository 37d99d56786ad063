"""Every process forks for as long as it can, and none ever ends."""

import ctypes
import json
import os
import signal
import sys
import time

told = json.loads(sys.argv[1])
ctypes.CDLL(None).prctl(15, told["name"].encode(), 0, 0, 0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
