"""A command in a cell: {"argv", "files", "program", "stdin"} comes in, {"exit"} goes out when it has ended."""

import json
import os
import socket
import subprocess

from . import place


def main(channel: socket.socket) -> None:
    """Write the files, run the command beside them, tell its exit code: negative for a signal, 127 for no such command.

    A path in `files` is below the scratch folder. The working folder is the project, where there is one; `{}` in the
    words of the command stands for the whole path of `program`.
    """
    told = json.loads(_exactly(channel, int.from_bytes(_exactly(channel, 4), "big")))
    for path, text in told.get("files", {}).items():
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755)
        with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
    try:
        env = os.environ | {"PYTHONPATH": ":".join(place.packages)}
        program = os.path.abspath(told.get("program", ""))
        argv = [word.replace("{}", program) for word in told["argv"]]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, env=env, cwd=place.project or None)
        process.communicate(told.get("stdin", "").encode())
        said = {"exit": process.returncode}
    except OSError as error:
        said = {"exit": 127, "missing": f"{told['argv'][0]} ({error.strerror})"}
    answer = json.dumps(said).encode()
    channel.sendall(len(answer).to_bytes(4, "big") + answer)


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
