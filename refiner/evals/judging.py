"""Answers that nothing can be compared with, judged by a model: pairwise, by a rubric, in both orders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import combinations
from statistics import fmean
from typing import Literal

import anyio

from refiner.autograd.concurrent import bare_errors
from refiner.autograd.prompt import Prompt, Section, ask
from refiner.domain.calls import Role, Usage
from refiner.domain.errors import AuthError, ContextLengthError, ProviderError, RefinerError
from refiner.domain.events import RunFinished, RunResumed, RunStarted
from refiner.domain.run import Limits, Models, Plan, Stop, StopReason
from refiner.domain.task import Kind, Task
from refiner.evals.figures import draws
from refiner.evals.repeated import kappa, sign_flip
from refiner.evals.statistics import Difference, paired_bootstrap
from refiner.run.context import RunContext
from refiner.run.engines import StepEngine
from refiner.run.journal import Journal
from refiner.run.ledger import ExhaustedError, Ledger
from refiner.strategies.drive import World, connect_all
from refiner.strategies.judge import Pick, picks

STRATEGY = "judge"

SHOWN: tuple[Pick, Pick] = ("old", "new")
"""What is shown first, by order."""

FAILURES = 10
"""Pairs without a judgement that are an outage."""

Word = Literal["won", "lost", "tied", "split", "unreadable"]
"""What both orders come to. tied: neither is better, or both are one text; split: it depends on the order."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one question."""

    item: str
    replicate: int
    question: str
    ours: str
    theirs: str

    @property
    def digest(self) -> str:
        return blake2b("\0".join((self.question, self.ours, self.theirs)).encode(errors="replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's word on a pair. picks: by order, ours shown second and first; None where no call was needed."""

    pair: Pair
    picks: tuple[Pick, Pick] | None

    @property
    def word(self) -> Word:
        match self.picks:
            case None | ("neither", "neither"):
                return "tied"
            case ("new", "new"):
                return "won"
            case ("old", "old"):
                return "lost"
            case pair if "unreadable" in pair:
                return "unreadable"
            case _:
                return "split"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge makes of all pairs. run: its calls; stop: why not all pairs are judged, "" where they are."""

    judge: str
    run: str
    pairs: int
    judgements: tuple[Judgement, ...]
    usage: Usage
    stop: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of a judge.

    net: the share that is won less the share that is lost, over items; p: of the exact test by items. agree: share of
    pairs of which both orders say the same; first: share of the picks that fell on what was shown first; longer: share
    of decided pairs that the longer text won. None where there is nothing to share.
    """

    counts: dict[Word, int]
    net: Difference | None
    p: float
    agree: float | None
    first: float | None
    longer: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """How pairs are judged. rubric: "" leaves it to the judge's prompt; base_url: as of a run's models."""

    rubric: str
    limits: Limits
    concurrency: int
    base_url: str | None = None
    max_output_tokens: int = 1024


async def judged(world: World, title: str, judge: str, pairs: Sequence[Pair], bench: Bench) -> Judged:
    """Have a model judge the pairs; the same judge on the same pairs goes on where it was, and pays nothing twice.

    Raises ProviderError after the retries, and UsageError where a cost limit cannot be kept.
    """
    run = _name(judge, pairs, bench)
    known = await world.store.events(run)
    if not known:
        models = Models(judge, judge, judge, bench.base_url)
        task = Task(title, Kind.TEXT)
        plan = Plan(task, STRATEGY, models, concurrency=bench.concurrency, max_output_tokens=bench.max_output_tokens)
        await world.store.create(run)
        await world.store.append(run, [RunStarted(plan)])
    journal = await Journal.open(world.store, run)
    over = journal.state.status == "done"
    if known and not over:
        await world.store.claim(run)
        await journal.record(RunResumed(journal.state.resumptions + 1))
        await journal.book_interrupted()
    assert journal.state.plan is not None  # noqa: S101
    lines = await connect_all(world, replace(journal.state.plan, limits=bench.limits))
    purse = Ledger(bench.limits, journal.state.usage, whole=True)
    context = RunContext(journal, lines, lambda *_: None, purse=purse)
    found, stop = await _all(context, world, pairs, bench.rubric)
    if not over:
        ended = stop or Stop(StopReason.VOTE_DECIDED, f"{len(pairs)} pairs are judged")
        number = journal.state.resumptions
        await journal.record(RunFinished("interrupted" if stop else "done", 130 if stop else 0, ended, number))
    judgements = tuple(found[at] for at in sorted(found))
    return Judged(judge, run, len(pairs), judgements, journal.state.usage, stop.detail if stop else "")


def score(judged: Judged) -> Score:
    """The figures of a judge."""
    counts: dict[Word, int] = dict.fromkeys(("won", "lost", "tied", "split", "unreadable"), 0)
    items: dict[str, list[Word]] = {}
    for one in judged.judgements:
        counts[one.word] += 1
        if one.word != "unreadable":
            items.setdefault(one.pair.item, []).append(one.word)
    shares = [[fmean(word == wanted for word in words) for words in items.values()] for wanted in ("won", "lost")]
    asked = [one.picks for one in judged.judgements if one.picks and "unreadable" not in one.picks]
    fell = [pick == shown for one in asked for pick, shown in zip(one, SHOWN, strict=True) if pick != "neither"]
    decided = [one for one in judged.judgements if one.word in ("won", "lost")]
    uneven = [one for one in decided if len(one.pair.ours) != len(one.pair.theirs)]
    return Score(
        counts,
        paired_bootstrap(*shares, draws=draws(len(items))) if items else None,
        sign_flip([words.count("won") - words.count("lost") for words in items.values()]),
        fmean(one[0] == one[1] for one in asked) if asked else None,
        fmean(fell) if fell else None,
        fmean((len(one.pair.ours) > len(one.pair.theirs)) == (one.word == "won") for one in uneven) if uneven else None,
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two judges agree on the pairs that both can be read on: the share, and Cohen's kappa."""

    first: str
    second: str
    pairs: int
    agree: float | None
    kappa: float | None


def agreement(every: Sequence[Judged]) -> list[Agreement]:
    """Each two judges beside each other; ties and splits are one word."""
    found = []
    for first, second in combinations(every, 2):
        words = [{(one.pair.item, one.pair.replicate): one.word for one in each.judgements} for each in (first, second)]
        both = [(words[0][key], words[1][key]) for key in words[0] if key in words[1]]
        known = [(_plain(one), _plain(other)) for one, other in both if "unreadable" not in (one, other)]
        agree = fmean(one == other for one, other in known) if known else None
        told = kappa([one for one, _ in known], [other for _, other in known])
        found.append(Agreement(first.judge, second.judge, len(known), agree, told))
    return found


def _plain(word: Word) -> Word:
    return "tied" if word == "split" else word


async def _all(
    context: RunContext, world: World, pairs: Sequence[Pair], rubric: str
) -> tuple[dict[int, Judgement], Stop | None]:
    """The judgements by the pairs' numbers, and why some are missing."""
    found: dict[int, Judgement] = {}
    stops, failures = list[Stop](), list[RefinerError]()

    async def one(number: int, pair: Pair) -> None:
        try:
            found[number] = await _judgement(context, world, number, pair, rubric)
        except ExhaustedError as exhausted:
            stops.append(exhausted.stop)
        except (ContextLengthError, ProviderError) as error:
            failures.append(error)
            if isinstance(error, AuthError) or len(failures) >= FAILURES:
                raise

    with bare_errors():
        async with anyio.create_task_group() as group:
            for number, pair in enumerate(pairs):
                group.start_soon(one, number, pair)
    if failures:
        stops.append(Stop(StopReason.ERROR, f"{len(failures)} pairs failed: {failures[0]}"))
    return found, next(iter(stops), None)


async def _judgement(context: RunContext, world: World, number: int, pair: Pair, rubric: str) -> Judgement:
    if pair.ours.strip() == pair.theirs.strip():
        return Judgement(pair, None)
    engine = StepEngine(context, number, 0)
    shared = [Section("task", pair.question), *([Section("rubric", rubric)] if rubric else [])]
    instruction = world.prompts["judge_rubric" if rubric else "judge_text"]

    async def said(place: str, first: str, second: str) -> str:
        shown = (Section("answer_A", first, whole=False), Section("answer_B", second, whole=False))
        prompt = Prompt(world.prompts["system"], (*shared, *shown), instruction, shared=len(shared))
        return (await ask(engine, prompt, Role.JUDGE, place)).text

    return Judgement(pair, await picks(said, pair.ours, pair.theirs))


def _name(judge: str, pairs: Sequence[Pair], bench: Bench) -> str:
    """The run of this judge on these pairs: the same in every process."""
    told = "\0".join((judge, str(bench.base_url), bench.rubric, *(pair.digest for pair in pairs)))
    return f"j-{blake2b(told.encode(errors='replace'), digest_size=5).hexdigest()}"
