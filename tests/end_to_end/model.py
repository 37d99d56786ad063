"""A model by script that mends an answer as it is told to, and how its calls are told apart."""

from tests.scripted import Asked, Outcome, Script

QUESTION = "Write a few lines about the sea."
"""A text task, so `auto` refines it: draft, critique, update, and a critique that finds nothing."""

DRAFT = "\n".join(["The sea is dry and the sand is wet."] * 8)
MENDED = DRAFT.replace("dry", "wide")
"""Longer than what is voted on, so that the answer is the last version that the critic lets pass."""

CALLS = {"refine": 4, "textgrad": 5}
"""How many calls of the model each strategy takes to the end."""

_MARKS = {
    "repair": "This reply could not be read.",
    "update": "Write the complete new version between <improved> and </improved>",
    "gradient": "write feedback for it",
    "critique": "Examine the candidate answer to the task.",
}


def phase(asked: Asked) -> str:
    """What a request is for: draft, critique, gradient, update or repair; its last paragraph says so."""
    instruction = asked.last.rpartition("\n\n")[2]
    return next((name for name, mark in _MARKS.items() if mark in instruction), "draft")


def mending(asked: Asked) -> Outcome:
    """The script of a model that drafts DRAFT and makes MENDED of it."""
    match phase(asked):
        case "critique":
            return "Verdict: correct, change nothing" if MENDED in asked.last else "Dry?\nVerdict: flawed"
        case "gradient":
            return "Say that the sea is wide."
        case "update":
            return f"<improved>{MENDED}</improved>"
        case _:
            return DRAFT


def but(outcome: Outcome, *phases: str, then: Script = mending) -> Script:
    """The script of a model that answers the calls of some phases in its own way."""
    return lambda asked: outcome if phase(asked) in phases else then(asked)
