"""The tests' side: runs them against stand-ins for the program, and holds the only channel that a verdict leaves by.

The first frame is {"files", "module", "seed", "how", "entry", "names", "source"}. Out go questions to the program, "S"
which test starts, "C" what became of one, "U" what the user has to mend, and "D" when all is done; in come answers, the
program's own questions, and "G" when the program will answer no more. With "source" the program is of this process.
"""

import json
import random
import socket
import sys
from importlib.util import MAGIC_NUMBER

from . import observing, plain, wire
from .report import UnmetError
from .seat import Seat


def main(channel: socket.socket) -> None:
    """Run the tests once."""
    told = json.loads(wire.read(channel))
    random.seed(told["seed"])
    seat = Seat(channel, told)
    if told.get("magic") != MAGIC_NUMBER.hex():
        told["code"] = {}
    sys.setrecursionlimit(sys.getrecursionlimit() + 200)
    try:
        seat.load()
        if told["how"] == "pytest":
            from . import pytests  # its import takes longer than most tests

            pytests.run(seat)
        elif told["how"] == "observe":
            observing.run(seat)
        else:
            plain.run(seat)
    except ModuleNotFoundError as error:
        seat.say(b"U" + json.dumps({"missing": f"the package {error.name or error}"}).encode())
    except UnmetError as error:
        seat.say(b"U" + json.dumps({"missing": str(error)}).encode())
    except wire.ClosedError:
        return
    seat.say(b"D")
