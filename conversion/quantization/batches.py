"""A program for one image made one for batches, and proven to be."""

import torch
from torch.fx import GraphModule

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import ModelSpec
from samesight.conversion.preparation.constant_parts import rewrite_constant_parts
from samesight.conversion.preparation.graph import argument, aten, nodes_of, shape_of
from samesight.conversion.preparation.prepare import example_of

RESHAPES = (aten.view.default, aten.reshape.default, aten.expand.default)


def free_the_batch(module: GraphModule) -> None:
    """Shapes written into the graph as [1, ...] become [-1, ...]; constants are added, not concatenated."""
    rewrite_constant_parts(module)
    for node in nodes_of(module, RESHAPES):
        source, shape = argument(node, 0, "self"), list(argument(node, 1, "size"))
        # Where the images' axis was merged with another one (windows, heads), a reshape brings it back to the front.
        separated = node.target is not aten.expand.default and shape[0] == 1 and -1 not in shape
        if separated or (shape[0] == 1 and shape_of(source)[0] == 1):
            node.args = (source, [-1, *shape[1:]])
    module.recompile()


def check_batches(module: GraphModule, spec: ModelSpec) -> None:
    """Check that a batch gives the outputs that its images give one by one.

    Raises:
        SamesightError: the graph is fixed to one image in a way that `free_the_batch` does not know.
    """
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (2, *example_of(spec).shape[1:]), generator=generator).float()
    try:
        with torch.no_grad():
            batch_outputs = module(batch)
            single_outputs = [module(image) for image in batch.split(1)]
        for role, batched in enumerate(batch_outputs):
            separate = torch.cat([outputs[role] for outputs in single_outputs])
            if not torch.allclose(batched, separate, rtol=1e-3, atol=1e-3 * float(separate.abs().max())):
                raise ValueError("a batch gives other values")
    except (RuntimeError, ValueError) as error:
        raise SamesightError(
            f"{spec.name}: this network computes one image at a time ({first_line(error)}) and "
            "cannot be fine-tuned for int8; write its reshapes with the batch size of their input"
        ) from None
