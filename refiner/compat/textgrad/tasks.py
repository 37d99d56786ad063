"""TextGrad's data sets, from files that the user has; nothing is ever fetched."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from refiner.compat.textgrad.autograd import StringBasedFunction
from refiner.compat.textgrad.loss import MultiChoiceTestTime, MultiFieldTokenParsedEvaluation
from refiner.compat.textgrad.variable import Variable
from refiner.domain.errors import NotFoundError, UsageError
from refiner.evals.datasets.item import Item
from refiner.evals.datasets.load import items
from refiner.verify.choice import choose

T = TypeVar("T")

AVAILABLE_DATASETS = ["BBH_object_counting", "BBH_word_sorting", "GSM8K_DSPy"]
AVAILABLE_INSTANCE_DATASETS = ["MMLU_machine_learning", "MMLU_college_physics", "GPQA_diamond", "LeetCodeHardEval"]

_NUMBER_LINE = "The last line of your response should be 'Answer: $VALUE' where VALUE is a numerical value."
_LETTER_LINE = "The last line of your response should be 'Answer: $LETTER' where LETTER is one of ABCD."
_ACCURACY = (
    "Below are a question, the right answer, and a prediction with its reasoning. Is the final prediction the same as "
    "the right answer? Say only 1 (yes) or 0 (no), between <ACCURACY> and </ACCURACY>."
)
_CRITIC = "Go through the reasoning step by step, and see whether the answer is right or has a critical mistake."


class Dataset(Sequence[T]):
    """Rows, and what is asked of a model with each."""

    def __init__(self, rows: Sequence[T], task_description: str) -> None:
        self.data = rows
        self._task_description = task_description

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __len__(self) -> int:
        return len(self.data)

    def get_task_description(self) -> str:
        return self._task_description

    get_default_task_instruction = get_task_description


class DataLoader(Generic[T]):
    """Batches of a data set, in an order that `random.seed` fixes."""

    def __init__(self, data: Sequence[T], batch_size: int = 32, shuffle: bool = True) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[Any]:
        order = [*range(len(self.data))]
        if self.shuffle:
            random.shuffle(order)
        for start in range(0, len(order), self.batch_size):
            rows = [self.data[index] for index in order[start : start + self.batch_size]]
            yield tuple(zip(*rows, strict=True)) if isinstance(rows[0], tuple) else rows


Pair = tuple[str, str]
Splits = tuple[Dataset[Pair], Dataset[Pair], Dataset[Pair], Callable[..., Variable]]


def load_task(task_name: str, evaluation_api: Any = None, root: str | Path | None = None) -> Splits:
    """Training, validation and test set in TextGrad's splits, and the evaluation of a prediction.

    root: the folder of the published files, TextGrad's cache unless it is given. Raises NotFoundError where they
    are not there.
    """
    if task_name == "GSM8K_DSPy":
        train, test = (_pairs("gsm8k", f"{part}.jsonl", root) for part in ("train", "test"))
        for rows in (train, test):
            random.Random(0).shuffle(rows)  # noqa: S311 - DSPy's split
        splits = train[:200], train[200:500], test
        description = f"You will answer a mathematical reasoning question. Think step by step. {_NUMBER_LINE}"
    elif task_name.startswith("BBH_"):
        rows = _pairs("bbh", f"{task_name.removeprefix('BBH_')}.json", root)
        splits = rows[:50], rows[50:150], rows[150:]
        description = f"You will answer a reasoning question. Think step by step. {_NUMBER_LINE}"
    else:
        raise UsageError(f"there is no task {task_name}: there are {', '.join(AVAILABLE_DATASETS)}, any BBH_TASK")
    evaluation: Callable[..., Variable]
    if task_name in ("GSM8K_DSPy", "BBH_object_counting"):
        evaluation = StringBasedFunction(string_based_equality_fn, "checks whether the prediction is correct")
    else:
        role = "evaluation instruction for the task"
        instruction = Variable(_ACCURACY, requires_grad=False, role_description=role)
        roles = ("Question for the task", "Ground truth answer", "Reasoning and prediction from the language model")
        tags = ("<ACCURACY>", "</ACCURACY>")
        evaluation = MultiFieldTokenParsedEvaluation(instruction, roles, evaluation_api, parse_tags=tags)
    train_set, val_set, test_set = (Dataset(split, description) for split in splits)
    return train_set, val_set, test_set, evaluation


def load_instance_task(task_name: str, evaluation_api: Any = None, root: str | Path | None = None) -> Dataset[Any]:
    """Questions, each with its right answer, its loss and its score; or LeetCode's names, problems and tests.

    Raises NotFoundError where the published file is not in the folder.
    """
    if task_name == "LeetCodeHardEval":
        problems = _items("leetcode-hard", "leetcode-hard.jsonl", root)
        rows: list[Any] = [(item.id.removeprefix("leetcode/"), item.question, item.visible) for item in problems]
        return Dataset(rows, "You will solve a hard coding problem: write a function that passes all the tests.")
    if task_name.startswith("MMLU_"):
        found = _items("mmlu", f"{task_name.removeprefix('MMLU_')}_test.csv", root)
    elif task_name.startswith("GPQA_"):
        found = _items("gpqa", f"{task_name.lower()}.csv", root)
    else:
        raise UsageError(f"there is no task {task_name}: there are {', '.join(AVAILABLE_INSTANCE_DATASETS)}")
    loss = MultiChoiceTestTime(_CRITIC, evaluation_api)
    return Dataset([_instance(item, loss) for item in found], _LETTER_LINE)


def string_based_equality_fn(prediction: Variable, ground_truth_answer: Variable) -> int:
    """Whether two texts end in the same integer, as 1 or 0."""
    return int(_integer(prediction.value) == _integer(ground_truth_answer.value))


def _integer(text: str) -> int:
    """The last word with a digit as an integer, 0 for none: the metric of DSPy and TextGrad."""
    words = [word for word in text.split() if any(sign.isdigit() for sign in word)]
    return int("0" + re.sub(r"\D", "", words[-1].split(".")[0])) if words else 0


def _instance(
    item: Item, loss: MultiChoiceTestTime
) -> tuple[str, str | None, Callable[..., Any], Callable[..., float]]:
    question = f"{item.question}\n\nThink step by step before answering. {_LETTER_LINE}"
    return (
        question,
        item.answer,
        lambda instance: loss(question, instance),
        lambda response: float(choose(response.value, item.options) == item.answer),
    )


def _pairs(name: str, file: str, root: str | Path | None) -> list[Pair]:
    return [(item.question, item.answer or "") for item in _items(name, file, root)]


def _items(name: str, file: str, root: str | Path | None) -> list[Item]:
    from platformdirs import user_cache_dir

    folder = Path(root or user_cache_dir("textgrad"))
    if not (folder / file).is_file():
        raise NotFoundError(
            f"{folder} has no {file}: nothing is fetched, so put the published file there or pass root= "
            f"(docs/datasets.md says where {name} is published)"
        )
    return [*items(f"{name}:{folder / file}")]
