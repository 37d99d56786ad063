"""A real sandbox without isolation, for tests of what is said in it: `judge` and `observe` as plain functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from refiner.domain.code import Execution, Outcome, Suite
from refiner.sandbox.cell import Sandbox
from refiner.sandbox.interpreter import find
from refiner.sandbox.judge import judge, observe
from refiner.sandbox.limits import Limits
from refiner.sandbox.off import sandbox


class Bench:
    """Programs go in, executions come out."""

    def __init__(self, portal: BlockingPortal, box: Sandbox) -> None:
        self._portal, self.box = portal, box

    def judge(self, source: str, tests: str, *, name: str = "test_it.py", **more: Any) -> Execution:
        """Run a program against one file of tests; more: of the suite, or seed and seconds."""
        options = {key: more.pop(key) for key in ("seed", "seconds") if key in more}
        suite = Suite(**({"files": ((name, tests),)} | more))
        return self._portal.call(partial(judge, self.box, source, suite, **options))

    def using(self, box: Sandbox, suite: Suite, source: str = "") -> Execution:
        """Run in another sandbox."""
        return self._portal.call(partial(judge, box, source, suite))

    def passes(self, source: str, tests: str, **more: Any) -> Execution:
        """Assert that the program passes them all."""
        execution = self.judge(source, tests, **more)
        assert execution.outcome is Outcome.PASSED, execution
        return execution

    def refuses(self, source: str, tests: str, **more: Any) -> Execution:
        """Assert that it does not."""
        execution = self.judge(source, tests, **more)
        assert execution.outcome is not Outcome.PASSED, execution
        return execution

    def observe(self, source: str, calls: list[str], **more: Any) -> list[str]:
        return self._portal.call(partial(observe, self.box, source, calls, Suite(), **more))


@contextmanager
def bench() -> Iterator[Bench]:
    with start_blocking_portal("asyncio") as portal:
        box = portal.call(_opened)
        try:
            yield Bench(portal, box)
        finally:
            portal.call(box.aclose)


async def _opened() -> Sandbox:
    return sandbox(find(), Limits())
