"""Independent branches at once, forward too, over a real provider; and the same result as one after the other."""

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refiner
from refiner.autograd.backward import Reduction
from refiner.autograd.concurrent import batch, placed, scope
from refiner.domain.calls import Message, Reply, Role
from tests.engines import ScriptedEngine
from tests.scripted import Scripted

pytestmark = pytest.mark.anyio

BRANCHES = 16
DEPTH = 3


async def test_a_batch_takes_as_long_as_its_longest_branch(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider answers in rounds, each only when all sixteen branches wait in it: fewer at a time would hang."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0")
    scripted.together = BRANCHES
    providers = {"openai": {"base_url": scripted.openai, "concurrency": BRANCHES}}
    async with refiner.engine("openai:m", providers=providers) as engine:
        system = refiner.Variable("be brief", "system prompt")
        first, second = refiner.ModelCall(engine, system), refiner.ModelCall(engine)
        judge = refiner.TextLoss.by(engine, "is it short?")

        async def branch(number: int) -> refiner.Variable:
            question = refiner.Variable(f"question {number}", "question", requires_grad=False)
            return await judge(await second(await first(question)))

        with anyio.fail_after(60):
            losses = await refiner.batch(branch, range(BRANCHES))
            assert scripted.most == BRANCHES
            assert len(scripted.asked) == DEPTH * BRANCHES
            await refiner.backward(refiner.total(losses), engine)
    assert len(scripted.asked) == 2 * DEPTH * BRANCHES
    assert [loss.sources[0].sources[0].sources[1].value for loss in losses] == [f"question {n}" for n in range(16)]
    assert engine.usage.calls == sum(node.usage.calls for node in refiner.total(losses).graph().nodes)


async def test_places_tell_branches_and_repeated_calls_apart() -> None:
    async def branch(_item: str) -> tuple[str, str]:
        await anyio.lowlevel.checkpoint()
        return placed("answer", "call"), placed("answer", "call")

    assert placed("answer", "call") == placed("answer", "call") == "call"
    with scope("4"):
        assert placed("answer", "call") == "4/call"
        assert await batch(branch, "ab") == [("4/0/call", "4/0/call~1"), ("4/1/call", "4/1/call~1")]
        assert placed("critic", "call") == "4/call"


class OneAtATime(ScriptedEngine):
    """Lets one call through at a time."""

    limit: anyio.Lock | None = None

    async def complete(
        self, messages: tuple[Message, ...], role: Role, place: str, prediction: str | None = None
    ) -> Reply:
        self.limit = self.limit or anyio.Lock()
        async with self.limit:
            return await super().complete(messages, role, place, prediction)


Made = tuple[str, list[int]]
OPERATIONS = ("call", "format", "function", "given", "concatenate", "total", "loss", "number")


@st.composite
def programs(draw: st.DrawFn) -> list[Made]:
    """For each node an operation and the nodes before it that it is made from; the first two are leaves."""
    size = draw(st.integers(1, 7))
    return [
        (draw(st.sampled_from(OPERATIONS)), draw(st.lists(st.integers(0, node), min_size=1, max_size=3)))
        for node in range(1, size + 1)
    ]


async def made(operation: str, sources: list[refiner.Variable], engine: ScriptedEngine) -> refiner.Variable:
    one = sources[0]
    match operation:
        case "call":
            return await refiner.ModelCall(engine, one)(*sources)
        case "format":
            fields = {f"f{number}": source for number, source in enumerate(sources)}
            return await refiner.FormattedModelCall(engine, "{f0} {f1}")(fields)
        case "function":
            return await refiner.Function(lambda *values: "|".join(values)[:60], "joins").run(*sources)
        case "given":
            told = refiner.Function(
                lambda *values: values[0][:40], "cuts", backward=lambda out, src: src.role + out.value
            )
            return told(*sources)
        case "concatenate":
            return refiner.concatenate(*sources)
        case "total":
            return refiner.total(sources)
        case "loss":
            return await refiner.TextLoss.by(engine, "good?").fields({f"f{n}": s for n, s in enumerate(sources)})
        case _:
            return refiner.NumericLoss(len, "length", maximise=False)(one)


Held = tuple[str, list[str], int]


async def run(program: list[Made], engine: ScriptedEngine, reduction: Reduction) -> tuple[list[Held], list[str]]:
    """Two branches of one program over shared leaves, and backward from the sum of both: what every node holds (its
    value, its gradients, its calls), and every prompt."""
    leaves = [refiner.Variable("leaf", "node 0"), refiner.Variable("more", "node 1")]

    async def branch(number: int) -> list[refiner.Variable]:
        nodes = list(leaves)
        for operation, sources in program:
            nodes.append(await made(operation, [nodes[source] for source in sources], engine))
            nodes[-1].role = f"node {len(nodes)}{number}"
        return nodes

    branches = await refiner.batch(branch, range(2))
    root = refiner.total([await refiner.TextLoss.by(engine, f"{n}?")(nodes[-1]) for n, nodes in enumerate(branches)])
    await refiner.backward(root, engine, reduction)
    held = [
        (node.value, [one.text for one in node.gradients], node.usage.calls) for nodes in branches for node in nodes
    ]
    return held, [text for _, _, text in sorted(engine.prompts)]


def answer(text: str, role: Role) -> str:
    return f"{role} {sum(map(ord, text)) % 9973}"


@settings(max_examples=60)
@given(programs(), st.lists(st.integers(0, 5), min_size=1, max_size=5), st.sampled_from(["concatenate", "summary"]))
def test_concurrent_and_sequential_are_the_same(program: list[Made], delays: list[int], reduction: Reduction) -> None:
    hasty = ScriptedEngine(answer, delays=lambda place: delays[sum(map(ord, place)) % len(delays)])
    calm = OneAtATime(answer)
    assert anyio.run(run, program, hasty, reduction) == anyio.run(run, program, calm, reduction)
    assert calm.most_running == 1


@settings(max_examples=60)
@given(programs())
def test_every_path_from_the_loss_is_heard_and_no_call_is_made_twice(program: list[Made]) -> None:
    engine = ScriptedEngine(answer)
    held, _ = anyio.run(run, program, engine, "concatenate")
    used = {len(program) + 1}
    for node in range(len(program) + 1, 1, -1):
        operation, sources = program[node - 2]
        if node in used:
            used |= set(sources[:1] if operation == "number" else sources)
    for number, (_, gradients, _) in enumerate(held):
        assert bool(gradients) == (number % (len(program) + 2) in used)
        assert len(set(gradients)) == len(gradients)
    keys = [(role, place) for role, place, _ in engine.prompts if role is Role.GRADIENT]
    assert len(set(keys)) == len(keys)


async def test_what_comes_again_within_a_scope_has_a_place_of_its_own() -> None:
    async def branch(_item: str) -> str:
        return placed("answer", "call")

    with scope("0"):
        first, second = await batch(branch, "ab"), await batch(branch, "ab")
    assert first + second == ["0/0/call", "0/1/call", "0/0~1/call", "0/1~1/call"]
