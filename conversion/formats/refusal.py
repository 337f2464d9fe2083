"""One sentence for an operator that a format cannot take: format, operator, module, what to do."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from samesight.contract.errors import SamesightError

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

OPERATOR = re.compile(r"\b(?:aten|quantized_decomposed|torchvision|prims)(?:\.|::|_)(\w+)")
LONGEST = 300
RUNTIME_NAMES = {"STABLEHLO_SORT": ("sort", "topk"), "SORT": ("sort", "topk")}
"""TFLite's names of operators that its runtime lacks, and the operators of torch that become them."""


def messages(error: BaseException | None) -> Iterator[str]:
    """The messages of an error and of its causes, the innermost first: that one names the operator."""
    if error is not None:
        yield from messages(error.__cause__ or error.__context__)
        yield str(error)


def named_node(program: "ExportedProgram", error: BaseException) -> "Node | None":
    """The node of the program whose operator the error names first."""
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    by_name: dict[str, Node] = {}
    for node in nodes:
        by_name.setdefault(str(node.target).split(".")[1] if "." in str(node.target) else str(node.target), node)
    for message in messages(error):
        for match in OPERATOR.finditer(message):
            for name in (match[1], match[1].removesuffix("_copy"), match[1].rstrip("_")):
                # A decomposition may have dropped a prefix: special_bessel_j0 becomes prims.bessel_j0.
                for full_name, node in by_name.items():
                    if full_name == name or full_name.endswith("_" + name):
                        return node
        for name in (name for word, names in RUNTIME_NAMES.items() if word in message for name in names):
            if name in by_name:
                return by_name[name]
        for name, node in by_name.items():
            # Names that are also words ("view", "add") would be found in any sentence.
            if "_" in name and re.search(rf"\b{re.escape(name)}\b", message):
                return node
    return None


def refusal(title: str, program: "ExportedProgram", error: Exception) -> SamesightError:
    """A SamesightError that explains a converter's failure to a person. Raise it `from` the error."""
    from samesight.conversion.preparation.graph import module_of, operator_name

    node = named_node(program, error)
    if node is not None:
        return SamesightError(
            f"{title} cannot take the operator {operator_name(node)} in {module_of(node)}; "
            "write that module with other operators, or leave this format out with --to"
        )
    reason = next((line for text in messages(error) for line in text.strip().splitlines() if line.strip()), "")
    return SamesightError(
        f"{title} cannot take this network ({_kind(error)}{reason[:LONGEST].removesuffix('; convert again')}); "
        "change the network, or leave this format out with --to"
    )


def _kind(error: Exception) -> str:
    """The kind of an error that is not one of our sentences."""
    return "" if isinstance(error, SamesightError) else f"{type(error).__name__}: "
