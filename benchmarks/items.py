"""Multiple-choice questions with their right answers: the kind that TextGrad's own evaluation takes."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT

# From openai/simple-evals, as TextGrad has it (textgrad/tasks/mmlu.py).
TEMPLATE = """
Answer the following multiple choice question. The last line of your response should be of the following format: \
'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step by step before answering.

{question}
""".strip()


@dataclass(frozen=True, slots=True)
class Item:
    """question holds its four options."""

    id: str
    question: str
    answer: str

    @property
    def asked(self) -> str:
        """The question as TextGrad asks it."""
        return TEMPLATE.format(question=self.question)


def items(count: int) -> list[Item]:
    """The first so many: of the folder that REFINER_SHARED names, else of the samples that the tests have."""
    shared = Path(os.environ.get("REFINER_SHARED", "")) / "data" / "mmlu_textgrad.jsonl"
    file = shared if shared.is_file() else ROOT / "tests" / "data" / "mmlu.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [_item(row) for row in rows[:count]]


def _item(row: dict[str, Any]) -> Item:
    options = "\n".join(f"{letter}) {text}" for letter, text in row["choices"].items())
    return Item(row["id"], f"{row['question']}\n\n{options}", row["answer"])
