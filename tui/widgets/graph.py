"""The graph of a run: what each candidate was made from, and the gradients between."""

from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from refiner.domain.calls import Usage
from refiner.domain.harmless import line
from refiner.domain.run_model import RunModel
from refiner.domain.state import RunState, Step

_CUT = 200


class Graph(Tree[None]):
    """The task at the root; below each candidate what was said of it, and what was made from it."""

    def __init__(self) -> None:
        super().__init__("task")
        self._shown: RunState | None = None

    def show(self, model: RunModel) -> None:
        state = model.state
        if self._shown is not None and state.chains is self._shown.chains:
            return
        self._shown = state
        self.clear()
        self.root.set_label(Text(line(state.plan.task.title if state.plan else "no task yet")))
        self.root.expand()
        for number in sorted(state.chains):
            above: TreeNode[None] = self.root
            for step in state.chains[number].steps:
                node = _added(above, step, number, model.spent.get((number, step.candidate.index), Usage()))
                above = node if step.accepted else above


def _added(above: TreeNode[None], step: Step, number: int, spent: Usage) -> TreeNode[None]:
    sign = "✓" if step.accepted else "✗" if step.decision else "·"
    score = "" if step.score is None else f"  score {step.score:.2f}"
    label = f"{sign} variable {number}/{step.candidate.index} ({step.candidate.phase}){score}"
    node = above.add(Text(label, "bold"), expand=True)
    loss = step.evaluation.critique if step.evaluation else ""
    gradient = step.gradient.text if step.gradient else ""
    same = loss == gradient
    for name, text in (
        ("value", step.candidate.text),
        ("loss and gradient" if same else "loss", loss),
        ("gradient", "" if same else gradient),
        ("gate", step.decision.reason if step.decision else ""),
        ("cost", spent.told),
    ):
        if text:
            node.add_leaf(Text.assemble((f"{name}  ", "dim"), line(text)[:_CUT]))
    return node
