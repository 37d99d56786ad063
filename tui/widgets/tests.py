"""The tests of a candidate as a tree, open at the first that failed."""

from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from refiner.domain.code import Case, Execution, Outcome
from refiner.domain.harmless import line
from refiner.domain.run_model import Row, RunModel
from refiner.domain.state import Step


class Tests(Tree[None]):
    """A branch an execution, a leaf a case; ✓ and ✗ say what the colours say."""

    def __init__(self) -> None:
        super().__init__("Tests")
        self.show_root = False
        self._shown: Step | None = None

    def show(self, model: RunModel, row: Row | None) -> None:
        step = row.step if row else None
        if step is not None and step is self._shown:
            return
        self._shown = step
        self.clear()
        executions = [("tests", step.execution)] if step and step.execution else []
        executions += [(f"made tests {number}", each) for number, each in enumerate(step.made if step else (), 1)]
        if not executions:
            self.root.add_leaf(Text("no test has run on this candidate"))
        for name, execution in executions:
            self._add(name, execution)

    def _add(self, name: str, execution: Execution) -> None:
        said = f"{name}: {execution.passed} of {execution.total} passed, {execution.seconds:.1f} s"
        branch = self.root.add(Text(said), expand=True)
        if execution.detail:
            branch.add_leaf(Text(line(execution.detail)))
        failed = next((case for case in execution.cases if case.outcome is not Outcome.PASSED), None)
        for case in execution.cases:
            self._case(branch, case, expand=case is failed)

    def _case(self, branch: TreeNode[None], case: Case, *, expand: bool) -> None:
        passed = case.outcome is Outcome.PASSED
        label = Text.assemble(("✓ ", "green") if passed else ("✗ ", "red"), line(case.name))
        if passed:
            branch.add_leaf(label)
            return
        label.append(f"  {case.outcome}")
        node = branch.add(label, expand=expand)
        told = [case.source, case.actual and f"actual    {case.actual}", case.expected and f"expected  {case.expected}"]
        for text in [*filter(None, told), *case.detail.splitlines()]:
            node.add_leaf(Text(line(text)))
