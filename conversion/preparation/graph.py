"""Small tools for editing an fx graph of ATen operators: tensors by node, new nodes with their fake values."""

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

aten = torch.ops.aten


def nodes_of(module: GraphModule, targets: Iterable[Any]) -> list[Node]:
    """The call nodes of these operators, in the order of execution."""
    target_set = set(targets)
    return [node for node in module.graph.nodes if node.op == "call_function" and node.target in target_set]


def argument(node: Node, index: int, name: str, default: Any = None) -> Any:
    """An operator's argument, given by position or by name."""
    return node.args[index] if len(node.args) > index else node.kwargs.get(name, default)


def shape_of(node: Node) -> tuple[int, ...]:
    """The static shape of a node's value."""
    return tuple(int(side) for side in node.meta["val"].shape)


def is_tensor(argument: Any) -> bool:
    """Whether an argument is a parameter, a buffer or a lifted constant."""
    return isinstance(argument, Node) and argument.op == "get_attr"


def tensor_of(module: GraphModule, node: Node) -> torch.Tensor:
    """The tensor that a `get_attr` node names."""
    value: Any = module
    for part in str(node.target).split("."):
        value = getattr(value, part)
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{node.target} is no tensor")
    return value.detach()


def add_tensor(module: GraphModule, name: str, value: torch.Tensor, before: Node) -> Node:
    """Register a new parameter `name` (made unique, dots become underscores) and read it just before a node."""
    base_name = name.replace(".", "_")
    unique, count = base_name, 0
    while hasattr(module, unique):
        count += 1
        unique = f"{base_name}_{count}"
    module.register_parameter(unique, torch.nn.Parameter(value.detach().clone().contiguous(), requires_grad=False))
    with module.graph.inserting_before(before):
        node = module.graph.get_attr(unique)
    mode = detect_fake_mode([existing.meta["val"] for existing in module.graph.nodes if "val" in existing.meta])
    node.meta["val"] = mode.from_tensor(value.detach()) if mode else value.detach()
    return node


def drop_unread_tensors(module: GraphModule) -> None:
    """Remove parameters and buffers that no node reads: rewrites replace them, and every file would carry both."""
    read = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for name, _ in tensors:
        if name not in read:
            owner, _, attribute = name.rpartition(".")
            delattr(module.get_submodule(owner), attribute)


def add_call(module: GraphModule, target: Any, args: Sequence[Any], before: Node, like: Node) -> Node:
    """Call an operator just before a node. Error messages name the module of `like` in the original model."""
    with module.graph.inserting_before(before):
        node = module.graph.call_function(target, tuple(args))
    node.meta = {key: like.meta[key] for key in ("nn_module_stack", "stack_trace") if key in like.meta}
    mode = detect_fake_mode(like.meta.get("val"))
    fakes = map_arg(node.args, lambda argument: argument.meta["val"])
    if mode is None:
        node.meta["val"] = target(*fakes)
    else:
        with mode:
            node.meta["val"] = target(*fakes)
    return node


def replace(node: Node, new: Node) -> None:
    """Use `new` instead of `node` everywhere and remove `node`."""
    node.replace_all_uses_with(new, delete_user_cb=lambda user: user is not new)
    node.graph.erase_node(node)


def first_of(node: Node) -> Node | None:
    """The `getitem(node, 0)` of an operator with several results, if that is the only one in use."""
    users = list(node.users)
    if len(users) == 1 and users[0].target is operator.getitem and users[0].args[1] == 0:
        return users[0]
    return None


def forget_history(program: ExportedProgram) -> ExportedProgram:
    """Remove each node's record of its ancestors in earlier graphs, which every later pass would copy."""
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)
    return program


def module_of(node: Node) -> str:
    """The module of the original network that a node belongs to: `backbone.stem.0 (Conv2d)`, `the network itself`."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if not stack:
        return "the network itself"
    path, kind = stack[-1]
    kind_name = (kind if isinstance(kind, str) else kind.__qualname__).rsplit(".", 1)[-1]
    return f"{path} ({kind_name})" if path else f"the network itself ({kind_name})"


def operator_name(node: Node) -> str:
    """PyTorch's name of the operator: `aten.conv2d.default`."""
    return str(node.target)
