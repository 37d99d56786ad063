"""The warm worker: an interpreter that waits inside the sandbox and forks a cell for each program.

`python -I -S zygote.py FD`: FD is a socket of messages to the host. The first message is the configuration; then each
`open` brings the ends of a cell's channel and of its output, each `kill` ends the cell that runs. The answers are
`ready`, `begun`, `failed`, `dead` (its processes are, its files not yet gone) and `ended`. One cell runs at a time.
Nothing that untrusted code wrote is ever read here.
"""

import array
import contextlib
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import types
from typing import Any, NoReturn

MESSAGE = 1 << 17


def _package() -> None:
    """Make `_inside` of the folder that this file lies in, without a place on `sys.path`."""
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.machinery.ModuleSpec("_inside", None, is_package=True)
    spec.submodule_search_locations = [folder]
    sys.modules["_inside"] = importlib.util.module_from_spec(spec)


class Zygote:
    """Opens cells for one host."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._config: dict[str, Any] = {}
        self._cell = 0
        self._folder: str | None = None
        self._scratch = "/tmp"

    def serve(self) -> None:
        """Until the host is gone."""
        config, _ = self._heard()
        if config is None:
            return
        self._config = config
        self._prepare()
        self._say({"ready": True, "folder": self._folder})
        while True:
            request, fds = self._heard()
            if request is None:
                break
            if "open" in request:
                self._open(request, fds)
                self._wait()
        self._close()

    def _prepare(self) -> None:
        """Load what every cell needs once, so that a fork has it."""
        # `exit`, `quit` and `help`, which -S leaves out.
        site.setquit()
        site.setcopyright()
        site.sethelper()
        sys.dont_write_bytecode = True
        place: Any = importlib.import_module("_inside.place")
        place.packages = tuple(self._config["packages"])
        place.project = self._config["project"]
        sys.path.extend(place.packages)
        confine = importlib.import_module("_inside.confine")
        self._folder = confine.prepare(self._config)
        for name in self._config["preload"]:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()

    def _open(self, request: dict[str, Any], fds: list[int]) -> None:
        confine = sys.modules["_inside.confine"]
        try:
            self._scratch = confine.before(self._config, self._folder)
            try:
                self._cell = os.fork()
                if self._cell == 0:
                    self._run(request, fds)
            finally:
                confine.after(self._config)
            self._say({"begun": self._cell})
        except OSError as error:
            self._say({"failed": str(error)})
            self._end()
            self._say({"ended": 0, "cpu": 0.0})
        finally:
            for fd in fds:
                os.close(fd)

    def _wait(self) -> None:
        """Until the cell is over; the host may ask for its end, or be gone."""
        if not self._cell:
            return
        watched = os.pidfd_open(self._cell)
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        gone = False
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if watched in ready:
                    break
                request, _ = self._heard()
                if request is None:
                    gone = True
                    poll.unregister(self._control)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._cell, signal.SIGKILL)
        finally:
            os.close(watched)
        sys.modules["_inside.confine"].ended(self._config, self._cell)
        _, status, usage = os.wait4(self._cell, 0)
        self._end()
        if gone:
            self._close()
            os._exit(0)
        self._say({"ended": os.waitstatus_to_exitcode(status), "cpu": usage.ru_utime + usage.ru_stime})

    def _end(self) -> None:
        """Whatever the cell left behind goes: processes first, then files."""
        if self._config["layer"] != "bubblewrap":
            confine = sys.modules["_inside.confine"]
            confine.swept()
            self._say({"dead": self._cell})
            confine.closed(self._scratch)
        self._cell = 0

    def _close(self) -> None:
        sys.modules["_inside.confine"].closed(self._folder)

    def _run(self, request: dict[str, Any], fds: list[int]) -> NoReturn:
        """The cell itself: confine this process, then hand it over."""
        code = 70
        try:
            channel = self._confined(request, fds)
            main = types.ModuleType("__main__")
            sys.modules["__main__"] = main
            program = importlib.import_module(f"_inside.{request['open']}")
            code = 1
            program.main(channel)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1 if error.code else 0
        except BaseException:  # noqa: BLE001 (whatever it was, the process ends here)
            with contextlib.suppress(BaseException):
                sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(BaseException):
                    stream.flush()
            os._exit(code & 0xFF)

    def _confined(self, request: dict[str, Any], fds: list[int]) -> socket.socket:
        try:
            place: Any = sys.modules["_inside.place"]
            place.scratch = self._scratch
            channel, output = fds
            control = self._control.fileno()
            # Below the lowest number that anything of ours may have, so that no dup2 hits another.
            high = [_moved(fd) for fd in (channel, output, control)]
            null = os.open("/dev/null", os.O_RDWR)
            for source, target in ((null, 0), (high[1], 1), (high[1], 2), (high[0], 3), (high[2], 4)):
                os.dup2(source, target, inheritable=target < 3)
            os.closerange(5, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
            self._control.detach()
            self._control = socket.socket(fileno=4)
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            sys.modules["_inside.confine"].confine(self._config, request["limits"], self._scratch)
            os.chdir(self._scratch)
            self._control.close()
            return socket.socket(fileno=3)
        except BaseException as error:
            self._say({"failed": f"{type(error).__name__}: {error}"})
            raise

    def _heard(self) -> tuple[dict[str, Any] | None, list[int]]:
        fds = array.array("i")
        try:
            text, extra, _, _ = self._control.recvmsg(MESSAGE, socket.CMSG_SPACE(4 * 4))
        except OSError:
            return None, []
        for level, kind, data in extra:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        return (json.loads(text) if text else None), list(fds)

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message).encode())


def _moved(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)


if __name__ == "__main__":
    _package()
    Zygote(socket.socket(fileno=int(sys.argv[1]))).serve()
