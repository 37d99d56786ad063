"""From an item to what a run gets of it: the question and the visible tests; what is right stays here."""

from refiner.domain.code import Suite
from refiner.domain.errors import UsageError
from refiner.domain.evals import ItemRow
from refiner.domain.task import Kind, Task
from refiner.evals.datasets.item import Item
from refiner.sandbox.suites import recognise
from refiner.verify.syntax import parsed
from refiner.verify.wanted import checked, modules, names_of

_STANDARD = frozenset(("solution", "candidate", "answer", "program", "submission"))


def task_of_item(item: Item) -> Task:
    """The task as a strategy sees it. Raises UsageError for tests that say nothing."""
    shown = suite_of_text(item.visible, item) if item.visible.strip() else None
    return Task(item.question, item.kind, item.options, item.program, shown)


def hidden(item: Item) -> Suite:
    """The tests that score. Raises UsageError where they say nothing."""
    return suite_of_text(item.tests, item)


def row_of(item: Item) -> ItemRow:
    """What an eval keeps of an item."""
    return ItemRow(item.id, item.kind, None if item.kind is Kind.CODE else item.answer, item.subject, item.digest)


def suite_of_text(text: str, item: Item) -> Suite:
    """A text of tests as a suite for the item's program, which tests may import under one of the usual names."""
    place = f"{item.where}: {item.id}" if item.where else item.id
    tree = parsed(text)
    if tree is None:
        raise UsageError(f"{place}: its tests do not parse")
    module = next((name for name in modules(tree) if name in _STANDARD), "solution")
    names = names_of(text, module)
    waiting, called = checked(tree)
    entry = item.entry_point or called or (next(iter(names)) if waiting and len(names) == 1 else None)
    suite = Suite((("test_item.py", text),), module, entry, tuple(sorted(names | ({entry} if entry else set()))))
    try:
        recognise(suite)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
    return suite
