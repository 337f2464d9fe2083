"""What a file computes, as far as the known faults ask: operators, their tensors and their options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any


@dataclass(frozen=True)
class Tensor:
    """A value of the graph.

    `shape` is None where the file does not say it. `dtype` is NumPy's name (`float16`, `int8` …), or empty. `numbers`
    are the values of a small constant; `scale` is the least quantization scale.
    """

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    constant: bool = False
    numbers: tuple[float, ...] | None = None
    scale: float | None = None

    @property
    def rank(self) -> int:
        """How many axes it has; 0 where the file does not say it."""
        return len(self.shape or ())

    @property
    def size(self) -> int:
        """How many elements it has; 0 where the file does not say it."""
        return prod(self.shape) if self.shape is not None else 0


@dataclass(frozen=True)
class Operator:
    """One operator under its format's own name. `inputs` has the tensors by parameter, in the file's order."""

    kind: str
    name: str = ""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: tuple[Tensor, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def operands(self) -> list[Tensor]:
        """The inputs that are computed, not constants."""
        return [tensor for tensor in self.inputs.values() if not tensor.constant]

    @property
    def first(self) -> Tensor:
        """The first input; a nameless one where there is none."""
        return next(iter(self.inputs.values()), Tensor(""))

    @property
    def result(self) -> Tensor:
        """The first output; a nameless one where there is none."""
        return self.outputs[0] if self.outputs else Tensor("")

    def numbers(self, option: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """An option that is a number or a list of them."""
        value = self.options.get(option, default)
        return (int(value),) if isinstance(value, (int, float)) else tuple(int(number) for number in value)


@dataclass(frozen=True)
class Network:
    """The operators of a file in the order of execution, and the names of its outputs.

    `version` is the format's own: ONNX' opset, ML program's opset as the number of its iOS. `delegate` is what runs the
    operators of an ExecuTorch program, all but those with `::` in their kinds.
    """

    operators: tuple[Operator, ...]
    outputs: tuple[str, ...] = ()
    version: int = 0
    delegate: str = ""

    def of(self, *kinds: str) -> list[Operator]:
        """The operators of these kinds."""
        return [operator for operator in self.operators if operator.kind in kinds]

    @cached_property
    def _makers(self) -> dict[str, Operator]:
        return {tensor.name: operator for operator in self.operators for tensor in operator.outputs}

    @cached_property
    def _users(self) -> dict[str, list[Operator]]:
        users: dict[str, list[Operator]] = {}
        for operator in self.operators:
            for name in {tensor.name for tensor in operator.inputs.values()}:
                users.setdefault(name, []).append(operator)
        return users

    def maker(self, tensor: Tensor) -> Operator | None:
        """The operator that computes a tensor; None for an input or a constant."""
        return self._makers.get(tensor.name)

    def users(self, operator: Operator) -> list[Operator]:
        """The operators that read what an operator computes."""
        return [user for tensor in operator.outputs for user in self._users.get(tensor.name, [])]

    def behind(self, operator: Operator, *kinds: str) -> list[Operator]:
        """The readers of these kinds."""
        return [user for user in self.users(operator) if user.kind in kinds]
