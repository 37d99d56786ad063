"""Ten gigabytes to both streams."""

import os

piece = b"x" * (1 << 20)
for _ in range(5 << 10):
    os.write(1, piece)
    os.write(2, piece)
print("BROKEN all was taken")
