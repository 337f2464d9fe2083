"""Quantization-aware training of a prepared program: fake quantization in, a float network and its ranges out.

The steps of `samesight train --qat`:

    module = prepare_qat(prepared, calibrated.ranges)   # trainable, any batch size, pixel values 0..255
    ... train `module` ...
    tuned = fine_tuned(prepared, module)                # a float program with the trained weights
    ranges = ranges_of(module)                          # run/quantization.json
    network, spec = as_network(tuned)                   # run/network.pt2 and run/model.json
"""

import copy

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import ModelSpec, Outputs, Slice
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.distinct_biases import make_biases_unequal
from samesight.conversion.preparation.graph import argument, aten, module_of, nodes_of, shape_of
from samesight.conversion.preparation.normalisation import NORMALISE
from samesight.conversion.preparation.prepare import Prepared, example_of, finish, input_and_output
from samesight.conversion.quantization.activation_qparams import (
    Ranges,
    check_ranges,
    exact_qparams,
    fix_observers,
    read_observers,
)
from samesight.conversion.quantization.quantizer import PhoneQuantizer

RESHAPES = (aten.view.default, aten.reshape.default, aten.expand.default)


def prepare_qat(prepared: Prepared, ranges: Ranges | None = None) -> GraphModule:
    """A copy of the program that fake-quantizes as the int8 artifacts will, ready for training.

    It takes float32 [n,C,H,W] values 0..255 (the contract's pixels, not normalised) and returns one tensor per role.
    With `ranges` the activations' scales and zero points are fixed, which is the right start from a trained network;
    without, they follow the batches (call `torchao.quantization.pt2e.disable_observer` to stop that). Those of weights
    always follow the weights. The normalisation is not trained.

    Raises:
        SamesightError: ranges of another network, or a network whose graph is fixed to one image.
    """
    from torchao.quantization.pt2e import allow_exported_model_train_eval
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    spec = prepared.spec
    module = quantizable(prepared.module)
    free_the_batch(module)
    check_batches(module, spec)
    module = prepare_qat_pt2e(module, PhoneQuantizer(training=True))
    if ranges is not None:
        check_ranges(module, ranges, spec)
    qparams = ranges.tensors if ranges is not None else exact_qparams(prepared.module, spec.input)
    fix_observers(module, qparams, training=True)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(not name.startswith(f"{NORMALISE}_"))
    # PT2E forbids train() and eval() on its graphs; Lightning calls both.
    return allow_exported_model_train_eval(module)


def free_the_batch(module: GraphModule) -> None:
    """Shapes written into the graph as [1, ...] become [-1, ...]."""
    for node in nodes_of(module, RESHAPES):
        source, shape = argument(node, 0, "self"), list(argument(node, 1, "size"))
        if shape[0] == 1 and shape_of(source)[0] == 1:
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


def ranges_of(module: GraphModule) -> Ranges:
    """The activations' scales and zero points of a module that `prepare_qat` made."""
    return read_observers(module)


def fine_tuned(prepared: Prepared, module: GraphModule) -> Prepared:
    """The prepared float program with the trained weights of `module`.

    It is no longer the original network, so `decibels` is not a number.
    """
    tuned = copy.deepcopy(prepared.module)
    trained = dict(module.named_parameters())
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            parameter.copy_(trained[name].detach().cpu())
    make_biases_unequal(tuned)
    exported = finish(tuned, prepared.spec, input_and_output(tuned)[0])
    return Prepared(prepared.spec, exported, float("nan"), dict(prepared.changes))


def as_network(prepared: Prepared) -> tuple[ExportedProgram, ModelSpec]:
    """A prepared program as a run stores it: it takes normalised input, and its outputs are the roles themselves."""
    module = copy.deepcopy(prepared.module)
    image, _ = input_and_output(module)
    for node in list(module.graph.nodes):
        if node.op == "call_function" and module_of(node).startswith(f"{NORMALISE} "):
            node.replace_all_uses_with(image)
            module.graph.erase_node(node)
    exported = finish(module, prepared.spec, image)
    roles = prepared.spec.roles
    slices = {role: Slice(tensor=role) for role in roles}
    outputs = Outputs(tensors=roles, roles=slices, activation=prepared.spec.outputs.activation)
    return exported, prepared.spec.model_copy(update={"outputs": outputs})
