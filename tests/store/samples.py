"""Events to store: one of each kind, and any that hypothesis can think of."""

from typing import get_args

from hypothesis import strategies as st

from refiner.domain.calls import Finish, Message, Reply, Role, Usage
from refiner.domain.code import Case, Execution, Outcome, Suite
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Candidate,
    ChainStopped,
    Decision,
    Evaluation,
    Event,
    Executed,
    Gradient,
    Note,
    Preferred,
    RunFinished,
    RunResumed,
    RunStarted,
    Selected,
    Steered,
)
from refiner.domain.run import Control, Limits, Models, Phase, Plan, Stop, StopReason, Tests, Verdict, Vote, Word
from refiner.domain.task import Kind, Option, Task

QUESTION = "Which of these is a noble gas, and how do you know? " * 5
DRAFT = "It is neon, because its outer shell is full.\n" * 5
PLAN = Plan(Task(QUESTION, Kind.CHOICE, (Option("A", "neon"),)), "refine", Models("openai:x", "local", "local"))
STARTED = RunStarted(PLAN)
DONE = RunFinished("done", 0, Stop(StopReason.AGREED, "two answers in a row agree"))


def call(key: str = "0/0/answer", attempt: int = 1, instruction: str = "Answer.") -> CallStarted:
    messages = (Message("system", ("Be brief.",)), Message("user", (QUESTION, DRAFT, instruction)))
    return CallStarted(key, attempt, Role.ANSWER, "openai:x", "ab" * 32, messages, 500, Usage(1, 90, 0, 500, 0, 0.01))


def reply(key: str = "0/0/answer", attempt: int = 1, text: str = DRAFT, cost: float | None = 0.25) -> CallFinished:
    return CallFinished(key, attempt, Reply(text, Usage(1, 100, 40, 50, 10, cost), Finish.STOP, 1.5, ("no seed",)))


TRAJECTORY: tuple[Event, ...] = (
    STARTED,
    call(),
    CallFailed("0/0/answer", 1, "timed out\nafter 60 s", Usage(1, 90, 0, 500, 0, 0.5)),
    call(attempt=2),
    reply(attempt=2),
    Candidate(0, 0, Phase.DRAFT, DRAFT, "A"),
    Decision(0, 0, True, "a draft is always taken"),
    Evaluation(0, 0, Verdict.FLAWED, "It never says which shell.", 0.5, Tests(1, 2)),
    Gradient(0, 0, "Name the shell. " * 20),
    Evaluation(0, 0, Verdict.FLAWED, "It still never says which shell.", iteration=1),
    Gradient(0, 0, "Say which shell.", iteration=1),
    Candidate(0, 1, Phase.UPDATE, "", None, "empty"),
    Decision(0, 1, False, "nothing can be read from it"),
    Executed(0, 0, Execution(Outcome.FAILED, (Case("line 1", Outcome.FAILED, 1, "assert f()"),), output="x")),
    Preferred(0, 0, 1),
    ChainStopped(0, 1, Stop(StopReason.PATIENCE, "no better twice")),
    Steered(Word(3, "budget", "ada", Limits(calls=9))),
    Note("openai:x takes no seed"),
    Selected(0, 0, (Vote("A", 1.0, 1),)),
    RunFinished("interrupted", 130, Stop(StopReason.SIGNAL, "Ctrl-C")),
    RunResumed(1),
)


_MARKS = [
    "\x00",
    "\ud800",
    "\udcff\udc00",
    '{"$text": "0"}',
    "$text",
    "\\u0000",
    "é🜁",
    "' OR 1=1 --",
    "\x1b[2J",
    "\r\n",
]
texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.sampled_from(_MARKS),
    st.builds(lambda text, mark, times: (text + mark) * times, st.text(), st.sampled_from(_MARKS), st.integers(1, 90)),
)
_few = st.integers(0, 3)
_money = st.none() | st.floats(0, 1e6)
_usages = st.builds(Usage, _few, _few, _few, _few, _few, _money, st.booleans())
_stops = st.builds(Stop, st.sampled_from(StopReason), texts)
_messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.lists(texts, max_size=4).map(tuple))
_models = st.builds(Models, texts, texts, texts, st.none() | texts)
_options = st.lists(st.builds(Option, texts, texts), max_size=3).map(tuple)
_files = st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
_suites = st.builds(Suite, _files, texts, st.none() | texts, folder=st.none() | texts)
_tasks = st.builds(Task, texts, st.sampled_from(Kind), _options, st.none() | texts, st.none() | _suites)
_limits = st.builds(Limits, st.none() | _few, st.none() | _few, _money, _money)
_replies = st.builds(Reply, texts, _usages, st.sampled_from(Finish), st.floats(0, 1e4), st.lists(texts).map(tuple))
_outcomes = st.sampled_from(Outcome)
_share = st.floats(0, 1)
_cases = st.builds(Case, texts, _outcomes, st.none() | _few, texts, st.none() | texts, st.none() | texts, texts, _share)
_run = st.lists(_cases, max_size=2).map(tuple)
_executions = st.builds(Execution, _outcomes, _run, st.booleans(), _share, texts, texts, st.none() | _share)
_keys = st.builds("{}/{}/answer".format, _few, _few)

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(RunStarted, st.builds(Plan, _tasks, texts, _models, _limits, until=texts, temperature=_money)),
    st.builds(RunResumed, _few),
    st.builds(Steered, st.builds(Word, _few, st.sampled_from(get_args(Control)), texts, st.none() | _limits)),
    st.builds(
        CallStarted,
        _keys,
        _few,
        st.sampled_from(Role),
        texts,
        texts,
        st.lists(_messages, max_size=3).map(tuple),
        _few,
        _usages,
        _money,
        st.none() | _few,
    ),
    st.builds(CallFinished, _keys, _few, _replies),
    st.builds(CallFailed, _keys, _few, texts, _usages),
    st.builds(Candidate, _few, _few, st.sampled_from(Phase), texts, st.none() | texts, st.none() | texts),
    st.builds(Executed, _few, _few, _executions, st.sampled_from(["tests", "made.0"])),
    st.builds(
        Evaluation,
        _few,
        _few,
        st.sampled_from(Verdict),
        texts,
        st.none() | st.floats(0, 1),
        st.none() | st.builds(Tests, _few, _few),
        st.none() | _few,
    ),
    st.builds(Gradient, _few, _few, texts, st.none() | _few),
    st.builds(Decision, _few, _few, st.booleans(), texts),
    st.builds(Preferred, _few, _few, _few),
    st.builds(ChainStopped, _few, _few, _stops),
    st.builds(Note, texts),
    st.builds(Selected, _few, _few, st.lists(st.builds(Vote, texts, st.floats(0, 9), _few)).map(tuple), _few),
    st.builds(RunFinished, st.sampled_from(["done", "interrupted", "failed"]), _few, _stops, _few),
)
