"""Each child takes less than any one process may; together they take three times as much."""

import json
import os
import sys
import time

told = json.loads(sys.argv[1])
size = told["limits"]["memory"] // 2
ready, done = os.pipe()
started = 0
for _ in range(6):
    if os.fork() == 0:
        taken = b"x" * size
        os.write(done, b"x")
        time.sleep(60)
        os._exit(len(taken) & 1)
    started += 1
os.close(done)
for _ in range(started):
    if not os.read(ready, 1):
        break
else:
    # All have it now; a limit that is watched may take a moment.
    time.sleep(2)
    print("BROKEN all have it")
