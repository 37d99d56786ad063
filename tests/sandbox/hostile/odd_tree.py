"""What is hard to remove: closed folders, a very deep one, odd names, links out, a socket, a pipe."""

import json
import os
import sys

told = json.loads(sys.argv[1])
os.makedirs("closed/inner")
open("closed/inner/file\udcff\n\x1b[31m", "w").close()
os.symlink(os.path.dirname(told["file"]), "link")
os.symlink(told["file"], "closed/link")
os.mkfifo("pipe")
os.mkdir("-rf")
os.mkdir("sealed", 0o000)
os.chmod("closed/inner", 0)
os.chmod("closed", 0)
here = os.open(".", os.O_RDONLY)
try:
    for _ in range(3000):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
except OSError as error:
    print(error)
print("made")
