"""A module holds its parameters and other modules as attributes, as Torch's and DSPy's do."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from refiner.app.disk import replace
from refiner.autograd.variable import Variable
from refiner.domain.errors import NotFoundError, UsageError

State = dict[str, dict[str, str]]
"""Role and value of each parameter, by its name."""


class Module(ABC):
    """What makes a variable of variables, by parameters that can be named, saved and optimised.

    Every variable that an attribute holds is a parameter, alone or in a list, tuple or dict; so are those of the
    modules that attributes hold. Its name is the way to it: `answer.instruction`, `steps.0.instruction`. One that is
    held twice has the first of its names. `requires_grad` says whether feedback may change it.
    """

    @abstractmethod
    async def __call__(self, *inputs: Any, **fields: Any) -> Variable: ...

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """This module, under the empty name, and all that it holds."""
        return ((name, held) for name, held in _held("", self, set()) if isinstance(held, Module))

    def named_parameters(self) -> Iterator[tuple[str, Variable]]:
        return ((name, held) for name, held in _held("", self, set()) if isinstance(held, Variable))

    def parameters(self) -> list[Variable]:
        return [parameter for _, parameter in self.named_parameters()]

    def state(self) -> State:
        return {name: {"role": held.role, "value": held.value} for name, held in self.named_parameters()}

    def save(self, path: str | Path) -> None:
        """Put the state in a JSON file's place, in one step. Raises UsageError where that cannot be written."""
        text = json.dumps(self.state(), indent=2, ensure_ascii=False)
        replace(Path(path), f"{text}\n".encode("utf-8", "surrogatepass"))

    def load(self, state: Mapping[str, Mapping[str, str]] | str | Path) -> None:
        """Take roles and values from a state, or from the file that holds one.

        Raises NotFoundError where there is no file, and UsageError for a state that is not exactly this module's; then
        nothing is changed.
        """
        source = "the state"
        if isinstance(state, str | Path):
            source, state = str(state), _read(Path(state))
        if not isinstance(state, Mapping):
            raise UsageError(f"{source} is no state of a module: it holds no object")
        own = dict(self.named_parameters())
        if missing := [name for name in own if name not in state]:
            raise UsageError(f"{source} is of another module: it lacks {', '.join(missing)}")
        if unknown := [name for name in state if name not in own]:
            raise UsageError(f"{source} is of another module: this one has no {', '.join(unknown)}")
        for name, one in state.items():
            if not (isinstance(one, Mapping) and all(isinstance(one.get(key), str) for key in ("role", "value"))):
                raise UsageError(f"{source} is no state of a module: {name} needs a role and a value, both texts")
        for name, one in state.items():
            own[name].role, own[name].value = one["role"], one["value"]


def _held(name: str, value: object, seen: set[int]) -> Iterator[tuple[str, Module | Variable]]:
    """A parameter or module and, under it, all that it holds, each once, in the order of the attributes."""
    if not isinstance(value, Module | Variable | list | tuple | Mapping) or id(value) in seen:
        return
    seen.add(id(value))
    below: Mapping[Any, object] = {}
    if isinstance(value, Module | Variable):
        yield name, value
    if isinstance(value, Module):
        below = vars(value)
    elif isinstance(value, list | tuple):
        below = dict(enumerate(value))
    elif isinstance(value, Mapping):
        below = value
    for key, one in below.items():
        yield from _held(f"{name}.{key}" if name else str(key), one, seen)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no state of a module, or it is cut off: {error}") from error
