"""Each call of a convolution, a linear layer or a normalisation gets parameters of its own.

Why: PT2E folds the BatchNorm of a module that is used twice a second time and shifts its logits; and XNNPACK cannot
load an int8 program whose convolutions share weights ("Failed to create convolution node").
"""

from torch.fx import GraphModule, Node

from conversion.preparation.graph import add_tensor, aten, is_tensor, nodes_of, tensor_of

WITH_PARAMETERS = (
    aten.conv1d.default,
    aten.conv2d.default,
    aten.conv_transpose2d.input,
    aten.linear.default,
    aten.prelu.default,
    aten._native_batch_norm_legit_no_training.default,
)


def unshare(module: GraphModule) -> int:
    """Copy every parameter that a second operator reads. Returns how many copies were made."""
    owners: dict[str, Node] = {}
    count = 0
    for node in nodes_of(module, WITH_PARAMETERS):
        for parameter in [argument for argument in node.all_input_nodes if is_tensor(argument)]:
            owner = owners.setdefault(str(parameter.target), node)
            if owner is not node:
                copy = add_tensor(module, str(parameter.target), tensor_of(module, parameter), node)
                node.replace_input_with(parameter, copy)
                count += 1
    return count
