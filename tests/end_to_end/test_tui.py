"""The terminal UI on a real service, and on a database alone."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import anyio
import pytest
from textual.widgets import Input, Static, TextArea

from refiner.cli.looking import Database
from refiner.cli.sketching import body_of
from refiner.client.client import Client
from refiner.config.paths import Paths
from refiner.domain.errors import DaemonError, StoreError, UsageError
from refiner.domain.events import Recorded, RunFinished, Steered
from refiner.domain.run import Rewrite
from refiner.domain.run_model import model_of
from refiner.domain.wire import recorded
from refiner.tui import nearest
from refiner.tui.screens.ask import AskScreen
from refiner.tui.screens.edit import EditScreen
from refiner.tui.screens.new import NewScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.screens.runs import RunsScreen
from refiner.tui.service import Service
from refiner.tui.widgets.bar import Bar
from tests.end_to_end.model import MENDED, QUESTION, mending, phase
from tests.end_to_end.program import Process, Program
from tests.scripted import STALL, Asked, Outcome, Scripted
from tests.tui.snapshots import playing, settled

pytestmark = pytest.mark.anyio


@pytest.fixture
def client(refiner: Program) -> Client:
    return Client(refiner.home / "runtime" / "refiner.sock")


@pytest.fixture
def serve(refiner: Program, client: Client) -> Callable[[], Process]:
    def begin() -> Process:
        process = refiner.start("serve")
        while True:
            try:
                client.get("/healthz")
            except DaemonError:
                assert process.running
            else:
                return process

    return begin


@pytest.fixture
def database(refiner: Program) -> Database:
    return Database(Paths.find({"REFINER_HOME": str(refiner.home)}))


async def test_a_run_is_watched_from_its_submission_on_and_over_a_restart(
    scripted: Scripted, client: Client, serve: Callable[[], Process]
) -> None:
    scripted.script = mending
    service = serve()
    source = Service(client)
    run = await source.submit({"input": QUESTION, "settings": {"strategy": "refine"}})
    async with playing(source, run=run[:4]) as pilot:
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await settled(pilot, lambda: screen.model.state.status == "done")
        assert screen.model.best is not None
        assert screen.model.best.candidate.text == MENDED
        seen = screen.model.last
        service.signal(signal.SIGTERM)
        service.wait()
        serve()
        fork = await _again(source, run)
        await pilot.press("escape")
        runs = pilot.app.screen
        assert isinstance(runs, RunsScreen)
        await settled(pilot, lambda: {row.id for row in runs.runs.values() if row.status == "done"} == {run, fork})
        assert (screen.model.last, runs.runs[run].stop) == (seen, "converged")


async def _again(source: Service, run: str) -> str:
    return await source.fork(run, 0, 0, {"critique": "Dry?\nVerdict: flawed"})


async def test_an_edited_critique_survives_the_service_that_it_was_told(
    scripted: Scripted, client: Client, serve: Callable[[], Process]
) -> None:
    service, source = serve(), Service(client, holds=3600)
    updates: list[str] = []
    release = Event()

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "draft":
            release.wait()
        if phase(asked) == "update":
            updates.append(asked.last)
            return STALL if len(updates) == 1 else mending(asked)
        return mending(asked)

    scripted.script = script
    run = await source.submit({"input": QUESTION, "settings": {"strategy": "refine"}})
    async with playing(source, run=run) as pilot:
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await settled(pilot, lambda: bool(screen.model.calls))
        await pilot.press("e")
        await settled(pilot, lambda: screen.model.state.hold == 3600)
        release.set()
        await settled(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
        pilot.app.screen.query_one(TextArea).text = "Say WHOSE sea.\nVerdict: flawed"
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: len(updates) == 1)
        service.signal(signal.SIGKILL)
        service.wait()
        serve()
        await settled(pilot, lambda: screen.model.state.status == "done")
    assert len(updates) == 2
    assert all("Say WHOSE sea." in update and "Dry?" not in update for update in updates)


async def test_a_new_run_is_planned_and_begun_by_its_form(
    scripted: Scripted, client: Client, serve: Callable[[], Process]
) -> None:
    scripted.script = mending
    serve()
    async with playing(Service(client, body_of)) as pilot:
        await settled(pilot)
        await pilot.press("n")
        await settled(pilot, lambda: isinstance(pilot.app.screen, NewScreen))
        form = pilot.app.screen
        form.query_one("#task", TextArea).text = QUESTION
        form.query_one("#model", Input).value = "openai:gpt-4o"
        form.query_one("#cost", Input).value = "5"
        await settled(pilot, lambda: "text, refine, openai:gpt-4o" in str(form.query_one("#plan", Static).content))
        assert "most         7 calls" in str(form.query_one("#plan", Static).content)
        assert scripted.asked == []
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await settled(pilot, lambda: screen.model.state.status == "done")
        assert screen.model.state.plan is not None
        assert screen.model.state.plan.limits.cost_usd == 5
        await pilot.press("escape")
        await pilot.press("D")
        await settled(pilot, lambda: isinstance(pilot.app.screen, AskScreen))
        await pilot.press("y")
        runs = pilot.app.screen_stack[0]
        assert isinstance(runs, RunsScreen)
        await settled(pilot, lambda: runs.runs == {})
        assert client.get("/v1/runs") == []


async def test_without_a_service_a_critique_is_edited_too(
    refiner: Program, scripted: Scripted, database: Database
) -> None:
    release = Event()

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "draft":
            release.wait()
        return mending(asked)

    scripted.script = script
    process = refiner.start("solve", QUESTION, "-s", "refine")
    while not scripted.asked:
        await anyio.lowlevel.checkpoint()
    run = await database.find("@")
    await database.hold(run)
    async for events in database.follow(run):
        told = [heard.event for heard in events if isinstance(heard, Recorded)]
        if any(isinstance(event, Steered) for event in told):
            release.set()
        if any(event.place == "0/0/evaluation" for event in told):
            await database.edit(run, Rewrite(0, 0, "Say WHOSE sea.\nVerdict: flawed"))
        if any(isinstance(event, RunFinished) for event in told):
            break
    assert process.wait().out == MENDED + "\n"
    [update] = [asked.last for asked in scripted.asked if phase(asked) == "update"]
    assert "Say WHOSE sea." in update


async def test_without_a_service_the_database_is_followed(
    refiner: Program, scripted: Scripted, database: Database
) -> None:
    assert await database.runs(10) == []
    scripted.script = mending
    done = refiner("solve", QUESTION, "--json")
    async with playing(database, run="@") as pilot:
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await settled(pilot, lambda: screen.model.state.status == "done")
        assert screen.run == done.json["id"]
        with pytest.raises(DaemonError, match="refiner serve"):
            await database.ask(screen.run, "resume")
        with pytest.raises(UsageError, match="not being worked on"):
            await database.ask(screen.run, "pause")


async def test_the_database_is_followed_while_the_service_is_away(
    scripted: Scripted,
    client: Client,
    serve: Callable[[], Process],
    refiner: Program,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nearest, "AGAIN", 0.2)
    scripted.script = mending
    first = refiner("solve", QUESTION, "--json").json["id"]
    source = nearest.Nearest(Service(client), database)
    async with playing(source) as pilot:
        runs = pilot.app.screen
        assert isinstance(runs, RunsScreen)
        await settled(pilot, lambda: first in runs.runs)
        assert source.name == "database, no service"
        await pilot.press("f3")
        await settled(pilot, lambda: pilot.app.screen.has_class("-empty"))
        services = [serve()]
        await settled(pilot, lambda: "workers busy" in pilot.app.screen.query_one(Bar).told)

        def killing(asked: Asked) -> Outcome:
            if phase(asked) == "update" and len(services) == 1:
                services[0].signal(signal.SIGKILL)
                return STALL
            return mending(asked)

        scripted.script = killing
        run = await source.submit({"input": QUESTION, "settings": {"strategy": "refine"}})
        await pilot.app.push_screen(screen := RunScreen(source, run))
        await settled(pilot, lambda: "lost the service: database, trying again in" in source.name)
        services[0].wait()
        services.append(serve())
        await settled(pilot, lambda: screen.model.state.status == "done")
        assert source.name == "service"
        told = [recorded(each) for each in client.get(f"/v1/runs/{run}/events")]
        assert (screen.model.state, screen.model.calls) == (model_of(told).state, model_of(told).calls)
        assert screen.model.state.resumptions == 1


async def test_a_database_of_another_version_is_left_as_it_is(refiner: Program, database: Database) -> None:
    refiner("run", "list")
    with _version(refiner.database, "0001"), pytest.raises(StoreError, match="refiner db upgrade"):
        await database.runs(1)


@contextmanager
def _version(file: Path, number: str) -> Iterator[None]:
    import sqlite3

    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (number,))
    connection.close()
    yield
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (number,)
    connection.close()


def test_where_there_is_no_terminal(refiner: Program) -> None:
    done = refiner("tui", "-q")
    assert (done.code, "needs a terminal" in done.error) == (2, True)
