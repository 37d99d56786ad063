"""`refiner.drive`: a descent of one's own hears other processes, and says what is wrong with it."""

import queue
import re
import threading
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import refiner as library
from refiner.domain.errors import UsageError
from refiner.domain.events import Heard, Recorded, Steered
from tests.end_to_end.program import PATIENCE, Program
from tests.scripted import Asked, Scripted

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "tune.md"
SLOGANS = ("Walk on air.", "Walk on clouds.", "Walk.")


async def descent(run: library.RunEngine) -> library.Stop:
    slogan = library.Variable("We sell shoes.", "slogan of a shop")
    loss = library.TextLoss.by(run, "Is it vivid?", direct=True)
    optimizer = library.TextualGradientDescent([slogan], run)
    found = await library.descend(optimizer, lambda _: loss(slogan), until="iterations:3", record=run.record)
    return found.stop


@pytest.fixture(autouse=True)
def same(refiner: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has the environment of the program."""
    for name, value in refiner.environ.items():
        monkeypatch.setenv(name, value)


def words(asked: Asked) -> str:
    return f"<improved>{SLOGANS[asked.number // 2]}</improved>" if "Improve the" in asked.last else "Flawed."


async def test_it_is_paused_gone_on_with_and_stopped_from_another_process(refiner: Program, scripted: Scripted) -> None:
    told: queue.Queue[str] = queue.Queue()

    def tell(word: str) -> None:
        done = refiner("run", word, "@")
        assert done.code == 0, done.err
        assert told.get(timeout=PATIENCE) == word

    def listener(what: Heard) -> None:
        if isinstance(what, Recorded) and isinstance(what.event, Steered):
            told.put(what.event.word.control)

    def script(asked: Asked) -> str:
        if len(scripted.asked) in (2, 4):
            tell({2: "pause", 4: "stop"}[len(scripted.asked)])
        replied.set() if len(scripted.asked) == 2 else None
        return words(asked)

    def going_on() -> None:
        assert replied.wait(PATIENCE)
        assert refiner("run", "list", "--json").json[0]["status"] == "paused"
        assert len(scripted.asked) == 2
        tell("resume")

    replied = threading.Event()
    scripted.script = script
    results = list[library.Result]()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, going_on)
        results.append(await library.drive(descent, "We sell shoes.", listener=listener))
    (result,) = results
    assert (result.stop.reason, result.answer, len(scripted.asked)) == ("signal", "Walk on clouds.", 4)
    assert result.stop.detail.startswith("stop: asked for by ")
    assert result.votes is None


async def test_one_that_says_not_why_it_stopped_has_failed_and_keeps_its_best(
    refiner: Program, scripted: Scripted
) -> None:
    async def silent(run: library.RunEngine) -> Any:
        await descent(run)

    scripted.script = words
    wrongs: tuple[tuple[Any, str], ...] = (
        (silent, "what descent came to is None"),
        (lambda _: 5, "what descent came to is 5"),
    )
    for wrong, said in wrongs:
        with pytest.raises(UsageError, match=said):
            await library.drive(wrong, "We sell shoes.")
    shown = await anyio.to_thread.run_sync(partial(refiner, "run", "list", "--json"))
    assert [run["status"] for run in shown.json] == ["failed", "failed"]
    assert "began it, or the program, goes on" in refiner("run", "resume", "@").error


def test_the_program_of_the_page_runs_as_it_stands(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFINER_MODEL", "openai:gpt-4o-mini")
    scripted.script = lambda asked: (
        "<improved>Walk.</improved>" if "Improve the" in asked.last else "Fine.\nVerdict: correct"
    )
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.startswith("We sell shoes. ")
    assert [asked.body["model"] for asked in scripted.asked] == ["gpt-4o"]
