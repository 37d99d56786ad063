"""Compiling: a module's instructions and demonstrations, optimised over a training set."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from refiner.autograd import arguments
from refiner.autograd.concurrent import batch, scope
from refiner.autograd.constraints import Constraint
from refiner.autograd.losses import Check, CheckerLoss, flawless
from refiner.autograd.operations import total
from refiner.autograd.optimizer import TextualGradientDescent
from refiner.autograd.prompt import Engine
from refiner.autograd.variable import Variable
from refiner.domain.calls import Count, Message, Reply, Role, Usage
from refiner.domain.errors import UsageError
from refiner.domain.run import Stop, StopReason
from refiner.modules.ask import Ask, Example
from refiner.modules.module import Module, State
from refiner.policies.language import parse
from refiner.policies.policy import Policy
from refiner.run.ledger import ExhaustedError
from refiner.strategies.descent import Record, batches, descend

Metric = Callable[[str, Example], float | Check]
"""How good an answer to an example is, 1 when it is right; the message of a Check is what feedback is made from."""

GENERAL = "say what to do in general, and do not repeat single examples or their answers"


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling came to: scores on the validation examples before and after, and why it stopped.

    shown: how many examples the demonstrations are of, 0 where they stayed as they were. calls: of all engines.
    """

    before: float
    after: float
    stop: Stop
    shown: int
    calls: int


@dataclass(frozen=True, slots=True)
class Compiler:
    """Optimises a module's parameters, in place, by examples: first its instructions, by textual gradients of what is
    wrong in a batch, a step that makes the validation score fall being taken back; then its demonstrations, out of the
    module's own right answers (bootstrapping, 2310.03714) and, for a lone Ask, the wanted ones. Only what scores higher
    replaces anything in the end.

    engine: makes the gradients and the updates. until: the policy of the descent. batch: examples that a step asks, to
    learn from the wrong answers. demonstrations: the most that are shown, candidates: how many sets of them are tried.
    calls: how many may be made in all, by `engine` and by the `engine` of each module; what is the best when they are
    spent stays. seed: of every choice. record hears the events of the descent.
    """

    engine: Engine
    metric: Metric
    until: str | Policy = "iterations:3"
    batch: int = 3
    demonstrations: int = 4
    candidates: int = 4
    calls: int | None = None
    constraints: Sequence[str | Constraint] = (GENERAL,)
    seed: int = 0
    record: Record | None = None

    def __post_init__(self) -> None:
        arguments.engine(self.engine)
        until = parse(self.until) if isinstance(self.until, str) else self.until
        arguments.functions(metric=self.metric, until=until)
        arguments.counts(1, batch=self.batch, calls=self.calls)
        arguments.counts(0, demonstrations=self.demonstrations, candidates=self.candidates)
        arguments.several((str, Constraint), "rules", "constraints", self.constraints)

    async def compile(
        self, module: Module, train: Sequence[Example], validation: Sequence[Example] | None = None
    ) -> Compiled:
        """Compile a module. validation: a third of the training examples, set apart by the seed, unless it is given.

        Raises UsageError for too few examples, or calls that do not cover the first validation, and what engines raise.
        """
        arguments.checked(isinstance(module, Module), "module", module, "a Module, such as an Ask")
        train = arguments.several(Example, "examples", "train", train)
        if validation is None:
            mixed = Random(self.seed).sample(train, len(train))  # noqa: S311 - a choice, no secret
            train, validation = mixed[len(mixed) // 3 or 1 :], mixed[: len(mixed) // 3 or 1]
        validation = arguments.several(Example, "examples", "validation", validation)
        if not train or not validation:
            raise UsageError("compiling needs an example to learn from and another to validate with: give two or more")
        meter = _Meter(self.calls)
        with meter.counting(module):
            try:
                with scope("validation"):
                    before = await self.score(module, validation)
            except ExhaustedError as error:
                raise UsageError(f"{error}, and they do not cover the first validation: allow more calls") from error
            best = _Best(before, module.state())
            try:
                stop = await self._instruct(module, train, validation, meter, best)
                module.load(best.state)
                await self._demonstrate(module, train, validation, best)
            except ExhaustedError as error:
                stop = error.stop
            finally:
                module.load(best.state)
        return Compiled(before, best.score, stop, best.shown, meter.usage.calls)

    async def score(self, module: Module, examples: Sequence[Example]) -> float:
        """The mean of the metric over examples, all asked at once."""
        checks = [check for _, check in await self._tried(module, examples)]
        return sum(check.score for check in checks) / len(checks)

    async def _tried(self, module: Module, examples: Sequence[Example]) -> list[tuple[Variable, Check]]:
        async def one(example: Example) -> tuple[Variable, Check]:
            output = await module(example.variable)
            return output, self._check(output.value, example)

        return await batch(one, examples)

    def _check(self, answer: str, example: Example) -> Check:
        found = self.metric(answer, example)
        arguments.number("metric", found.score if isinstance(found, Check) else found)
        if isinstance(found, Check):
            return found
        said = f"For the input\n{example.input}\nthe answer should be\n{example.answer}\nThis one scores {found:g}."
        return Check(found >= 1, found, said)

    async def _instruct(
        self, module: Module, train: Sequence[Example], validation: Sequence[Example], meter: "_Meter", best: "_Best"
    ) -> Stop:
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not parameters:
            return Stop(StopReason.CONVERGED, "no parameter of the module may change")
        order = batches(train, self.batch, self.seed)

        async def loss(_iteration: int) -> Variable:
            for _ in range(0, len(train), self.batch):
                tried = await self._tried(module, next(order))
                if wrong := [_loss(output, check) for output, check in tried if not check.passed]:
                    return total(wrong)
            return flawless("no example is wrong")

        async def validated() -> float:
            score = await self.score(module, validation)
            best.keep(score, module)
            return score

        engine = meter.over(self.engine)
        optimizer = TextualGradientDescent(
            parameters, engine, self.constraints, validation=validated, validated=best.score
        )
        with scope("descent"):
            return (await descend(optimizer, loss, until=self.until, record=self.record)).stop

    async def _demonstrate(
        self, module: Module, train: Sequence[Example], validation: Sequence[Example], best: "_Best"
    ) -> None:
        asks = [one for _, one in module.named_modules() if isinstance(one, Ask)]
        if not (asks and self.demonstrations and self.candidates):
            return
        with scope("bootstrap"):
            tried = await self._tried(module, train)
        # What a lone Ask should have said is known; what inner ones should have, only where all went well.
        shows = [
            {id(ask): [*ask.made(output)] if check.passed else [example] for ask in asks}
            for example, (output, check) in zip(train, tried, strict=True)
            if check.passed or isinstance(module, Ask)
        ]
        for number in range(self.candidates if shows else 0):
            chance = Random(f"{self.seed}/{number}")  # noqa: S311 - a choice, no secret
            drawn = chance.sample(shows, min(len(shows), self.demonstrations))
            for ask in asks:
                ask.show([one for show in drawn for one in show[id(ask)]][: self.demonstrations])
            with scope(f"demonstrations{number}"):
                score = await self.score(module, validation)
            best.keep(score, module, len(drawn))


@dataclass(slots=True)
class _Best:
    """The best that validation has seen of a module; of equals the earliest, though the descent goes on from a later
    one: what is no better is longer for nothing, as a rule."""

    score: float
    state: State
    shown: int = 0

    def keep(self, score: float, module: Module, shown: int = 0) -> None:
        if score > self.score:
            self.score, self.state, self.shown = score, module.state(), shown


@dataclass(slots=True)
class _Meter:
    """Counts calls of several engines, and lets no more through than there may be."""

    most: int | None
    usage: Usage = field(default_factory=Usage)
    started: int = 0

    def over(self, engine: Engine) -> Engine:
        return _Counted(engine, self)

    @contextmanager
    def counting(self, module: Module) -> Iterator[None]:
        """Stand between a module's engines and whoever asks them."""
        held = [one for _, one in module.named_modules() if hasattr(one, "engine")]
        engines = [one.engine for one in held]
        for one in held:
            one.engine = self.over(one.engine)
        try:
            yield
        finally:
            for one, engine in zip(held, engines, strict=True):
                one.engine = engine


@dataclass(frozen=True, slots=True)
class _Counted:
    """Implements refiner.autograd.prompt.Engine over another one."""

    engine: Engine
    meter: _Meter

    @property
    def usage(self) -> Usage:
        return self.meter.usage

    @property
    def room(self) -> int | None:
        return self.engine.room

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return await self.engine.count(messages, role)

    async def complete(
        self, messages: tuple[Message, ...], role: Role, place: str, prediction: str | None = None
    ) -> Reply:
        meter = self.meter
        if meter.most is not None and meter.started >= meter.most:
            raise ExhaustedError(Stop(StopReason.CALLS, f"all {meter.most} calls are made"))
        meter.started += 1
        reply = await self.engine.complete(messages, role, place, prediction)
        meter.usage += reply.usage
        return reply

    def note(self, text: str) -> None:
        self.engine.note(text)


def _loss(output: Variable, check: Check) -> Variable:
    return CheckerLoss(lambda _text: check)(output)[0]
