"""Code without tests: several programs, tests written apart, and the largest cluster that passes most (2207.10397)."""

from functools import partial

from refiner.autograd.concurrent import gather
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import Step
from refiner.run.ledger import ExhaustedError
from refiner.strategies.programs import Workshop
from refiner.strategies.scrutiny import make_tests
from refiner.strategies.verbs import EXPLORING

SUITES = 2
"""Calls for tests: the second is sampled, so that one misreading of the task does not decide alone."""


async def untested(shop: Workshop) -> Stop:
    """Draft as many programs as there are chains, make tests without showing them, and run each against all."""
    given = await shop.given()
    first = 0 if given is None else 1
    chains = range(first, first + shop.context.plan.chains)
    drawn = await gather(*(partial(_drawn, shop, given, chain, greedy=chain == first) for chain in chains))
    steps = [step for step in drawn if isinstance(step, Step)]
    if ended := next((stop for stop in drawn if isinstance(stop, Stop)), None):
        return ended
    readable = [step for step in steps if step.candidate.parsed is not None]
    if not readable:
        return Stop(StopReason.ERROR, "no program can be read from any reply")
    tests = 0
    for number in range(SUITES):
        suite = await make_tests(shop, readable[0], place=f"tests.{number}", temperature=EXPLORING if number else 0.0)
        if suite is not None:
            tests += len(suite.files[0][1].splitlines())
            for step in ([given] if given else []) + readable:
                await shop.run(step.candidate, suite, f"made.{number}")
    return Stop(StopReason.VOTE_DECIDED, f"{len(readable)} programs were run against {tests} tests made for them")


async def _drawn(shop: Workshop, given: Step | None, chain: int, *, greedy: bool) -> Step | Stop:
    try:
        return await shop.first(chain, given, 0.0 if greedy else EXPLORING)
    except ExhaustedError as exhausted:
        return exhausted.stop
