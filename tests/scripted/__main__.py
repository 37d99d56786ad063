"""A scripted provider as a program: `python -m tests.scripted --latency 0.1` prints its base URL and serves."""

import argparse
import json
from pathlib import Path
from socket import socket

import uvicorn

from tests.scripted.script import from_json
from tests.scripted.server import Scripted, config, url_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.scripted", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--script", type=Path, help="a JSON list of replies and rules (tests/scripted/script.py)")
    options = parser.parse_args()
    script = from_json(json.loads(options.script.read_text())) if options.script else "ok"
    with socket() as listener:
        listener.bind(("127.0.0.1", options.port))
        listener.listen(1024)
        print(url_of(listener), flush=True)
        uvicorn.Server(config(Scripted(script, options.latency))).run([listener])


if __name__ == "__main__":
    main()
