"""What the scripted provider answers to each example."""

import json
from pathlib import Path

from tests.scripted import Asked, Script

PROMPT = "Count aloud, one by one. The last line of your response is 'Answer: $VALUE', a number."
BISECT = """```python
from bisect import bisect_left


def longest_increasing(numbers):
    tails = []
    for number in numbers:
        tails[(at := bisect_left(tails, number)) : at + 1] = [number]
    return len(tails)
```"""
TASK = json.loads((Path(__file__).parents[2] / "examples/object_counting.json").read_text())
COUNTS = {example["input"]: example["target"] for example in TASK["examples"]}


def replies(example: str) -> Script:
    match example:
        case "snippet":
            return lambda _: BISECT
        case "molecules":
            return lambda _: "<improved>CC(=O)Oc1ccccc1C(=O)O</improved>"
        case "plans":
            return updates("4 17 17 17 4 17 17 17", "Beams 0 and 4 are too strong, the others too weak.")
        case "graph":
            return lambda _: ""  # nothing was said, so nothing is heard
        case "optimize_prompt":
            return counting
        case _:
            return lambda _: "B, for the lantern of the tide points north."


def updates(new: str, said: str) -> Script:
    return lambda asked: f"<improved>{new}</improved>" if "Improve the" in asked.last else said


def counting(asked: Asked) -> str:
    """A model that counts rightly only when it is told to count one by one."""
    if "Improve the" in asked.last or "The variable to improve" in asked.last:
        return updates(PROMPT, "Tell it to count one by one.")(asked)  # type: ignore[return-value]
    return f"Answer: {COUNTS[asked.last] if asked.messages[0][1] == PROMPT else 0}"
