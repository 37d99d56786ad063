"""What can be done with the texts of a run: edited, forked with, copied, looked at, written to a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from refiner.domain.errors import RefinerError
from refiner.domain.run import Rewrite
from refiner.domain.task import Kind, Task
from refiner.tui import figures
from refiner.tui.editor import edited
from refiner.tui.screens.edit import EditScreen
from refiner.tui.screens.fields import Field, FieldsScreen
from refiner.tui.steering import asked, tried
from refiner.tui.widgets.calls import Calls
from refiner.tui.widgets.diff import Diff

if TYPE_CHECKING:
    from refiner.tui.screens.run import RunScreen

ON_TEXTS = (
    Binding("e", "edit", "Edit", id="edit", tooltip="Edit or veto the critique before it is used; the run waits"),
    Binding("f", "fork", "Fork", id="fork", tooltip="Begin a new run here, with another text", show=False),
    Binding("y", "copy", "Copy", id="copy", tooltip="Copy what the open tab shows", show=False),
    Binding("o", "view", "$EDITOR", id="view", tooltip="Look at the same in $EDITOR", show=False),
    Binding("w", "write", "Write", id="write", tooltip="Write the answer to a file", show=False),
)

CRITICISED = ("refine", "textgrad", "fuse")
"""The strategies whose critiques lead to an update."""


async def edit(screen: "RunScreen") -> bool:
    """Edit the critique that waits. Whether there is none yet, and the next will wait."""
    state = screen.model.state
    if state.plan and state.plan.strategy not in CRITICISED:
        screen.notify(f"the strategy {state.plan.strategy} goes by no critique: f forks with another answer")
        return False
    chain = int(state.held[0].partition("/")[0]) if state.held else screen.row.chain if screen.row else 0
    said = screen.model.critique(chain)
    if said is None or not (state.held or state.status == "paused"):
        return await _held(screen)
    ends = figures.now().timestamp() + state.held[1] if state.held and state.status != "paused" else None

    def told() -> str:
        if screen.model.critique(chain) != said:
            return "the run went on without it: escape, then f forks with another critique"
        if ends is None:
            return "the run is paused, and waits"
        return f"the run goes on by itself in {max(0, ends - figures.now().timestamp()):.0f} s"

    title = f"The critique of {said.at}, before it is used"
    done = await screen.app.push_screen_wait(
        EditScreen(title, {"critique": said.critique}, "critique", told, veto=True)
    )
    if done is None:
        if screen.model.state.held:
            await tried(screen, lambda: screen.source.ask(screen.run, "resume"))
        return False
    rewrite = Rewrite(chain, int(said.at.partition("/")[2]), done[1])
    if await tried(screen, lambda: screen.source.edit(screen.run, rewrite)):
        screen.notify("the critique is edited" if done[1].strip() else "the critique is vetoed")
    return False


async def _held(screen: "RunScreen") -> bool:
    try:
        seconds = await screen.source.hold(screen.run)
    except RefinerError as error:
        screen.notify(str(error), severity="error", markup=False)
        return False
    screen.notify(f"the next critique waits up to {seconds:g} s for you to edit it")
    return True


async def fork(screen: "RunScreen") -> str | None:
    """Begin a new run at the row's candidate, with one text of it changed; its id."""
    row, plan = screen.row, screen.model.state.plan
    if row is None or row.step is None or plan is None:
        screen.notify("put the cursor on an iteration that is there: the fork begins at it")
        return None
    step = row.step
    texts = {"answer": step.candidate.text}
    if plan.strategy in CRITICISED:
        texts["critique"] = step.evaluation.critique if step.evaluation else ""
    if plan.strategy in CRITICISED and step.gradient:
        texts["gradient"] = step.gradient.text
    title = f"A new run from {row.chain}/{row.index} on, which spends: one text of it may be another one"
    first = screen.tab if screen.tab in texts else "answer"
    done = await screen.app.push_screen_wait(EditScreen(title, texts, first))
    if done is None:
        return None
    name, text = done
    change = {name: text} if text != texts[name] else {}
    try:
        return await screen.source.fork(screen.run, row.chain, row.index, change)
    except RefinerError as error:
        screen.notify(str(error), severity="error", markup=False)
        return None


def copy(screen: "RunScreen") -> None:
    """Copy by OSC 52, which the terminal may refuse."""
    name, text = _open(screen)
    if not text:
        screen.notify("there is no text here yet")
        return
    screen.app.copy_to_clipboard(text)
    screen.notify(f"copied the {name}, {len(text):,} characters")


def show(screen: "RunScreen") -> None:
    """Look at a text in $EDITOR; what is changed there changes nothing here."""
    name, text = _open(screen)
    if not text:
        screen.notify("there is no text here yet")
        return
    code = name == "answer" and _is_code(screen)
    edited(screen, text, name=f"{name}.{'py' if code else 'md'}", read_only=True)


async def write(screen: "RunScreen") -> None:
    """Write the answer to the file that it is of, or one that the user names; never over another unasked."""
    from refiner.app.source import of_program, write_to

    plan, best = screen.model.state.plan, screen.model.best or (screen.row.step if screen.row else None)
    if plan is None or best is None:
        screen.notify("there is no answer yet")
        return
    own = _file(plan.task)
    path = own if own and of_program(own, plan.task.program) else await _named(screen, own)
    if path is None or (path.exists() and not await asked(screen, f"Write over {path}?")):
        return
    text = best.candidate.text
    text = text if text.endswith("\n") else f"{text}\n"
    target = path
    try:
        write_to(target, text, of_program(target, plan.task.program))
    except RefinerError as error:
        screen.notify(str(error), severity="error", markup=False)
    else:
        screen.notify(f"wrote {target}", markup=False)


async def _named(screen: "RunScreen", own: Path | None) -> Path | None:
    name = str(own) if own else "answer.py" if _is_code(screen) else "answer.md"
    field = Field("path", "the file", name, _path)
    said = await screen.app.push_screen_wait(FieldsScreen("Write the answer to", (field,)))
    return said["path"] if said else None


def _path(text: str) -> Path:
    if not text:
        raise ValueError("the name of a file")
    try:
        path = Path(text).expanduser()
        wrong = "that is a folder" if path.is_dir() else "" if path.parent.is_dir() else "its folder is not there"
    except (OSError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    if wrong:
        raise ValueError(wrong)
    return path


def _file(task: Task) -> Path | None:
    """Where the task's program lies, as far as the run knows."""
    suite = task.suite
    if task.program is None or suite is None:
        return None
    return Path(suite.folder, *suite.module.split(".")).with_suffix(".py") if suite.folder else Path(suite.program)


def _is_code(screen: "RunScreen") -> bool:
    plan = screen.model.state.plan
    return plan is not None and plan.task.kind is Kind.CODE


def _open(screen: "RunScreen") -> tuple[str, str]:
    """The text of the open tab, and its name."""
    step = screen.row.step if screen.row else None
    match screen.tab:
        case "critique":
            return "critique", step.evaluation.critique if step and step.evaluation else ""
        case "gradient":
            return "gradient", step.gradient.text if step and step.gradient else ""
        case "calls-tab":
            return "call", screen.query_one(Calls).text
        case "tests" | "graph" as name:
            return name, "\n".join(_outline(screen.query_one(f"#{name}").query_one(Tree).root))
        case "diff" if text := screen.query_one(Diff).text:
            return "diff", text
    step = step or screen.model.best
    return "answer", step.candidate.text if step else ""


def _outline(node: TreeNode[None], depth: int = 0) -> Iterator[str]:
    for child in node.children:
        yield "  " * depth + str(child.label)
        yield from _outline(child, depth + 1)
