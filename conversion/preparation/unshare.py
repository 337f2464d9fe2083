"""Each call of a convolution, a linear layer or a normalisation gets parameters of its own.

Why: PT2E mistreats the BatchNorm of a module that is used twice, without a word; and an int8 `.pte` whose convolutions
share a bias computes both with the integers of one of them (executorch 1.5.1; 1.4.1 refused to load it).
"""

from torch.fx import GraphModule, Node

from samesight.conversion.preparation.graph import add_tensor, aten, is_tensor, nodes_of, tensor_of

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
