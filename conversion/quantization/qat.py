"""Quantization-aware training of a prepared program: fake quantization in, a float network and its ranges out.

The steps of `samesight train --qat`:

    module = prepare_qat(prepared, calibrated.ranges)   # trainable, any batch size, pixel values 0..255
    ... train `module` ...
    tuned = fine_tuned(prepared, module)                # a float program with the trained weights
    ranges = ranges_of(module)                          # run/quantization.json
    network, spec = as_network(tuned)                   # run/network.pt2 and run/model.json
"""

import copy
from collections.abc import Mapping

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule

from samesight.contract.spec import ModelSpec, Outputs, Slice
from samesight.conversion.preparation.activations import quantizable
from samesight.conversion.preparation.distinct_biases import make_biases_unequal
from samesight.conversion.preparation.graph import module_of
from samesight.conversion.preparation.normalisation import NORMALISE
from samesight.conversion.preparation.prepare import Prepared, finish, input_and_output
from samesight.conversion.quantization.activation_qparams import (
    Ranges,
    check_ranges,
    exact_qparams,
    fix_observers,
    read_observers,
)
from samesight.conversion.quantization.batches import check_batches, free_the_batch
from samesight.conversion.quantization.quantizer import PhoneQuantizer


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


def ranges_of(module: GraphModule) -> Ranges:
    """The activations' scales and zero points of a module that `prepare_qat` made."""
    return read_observers(module)


def fine_tuned(prepared: Prepared, module: GraphModule) -> Prepared:
    """The prepared float program with the trained weights of `module`.

    It is no longer the original network, so `decibels` is not a number.
    """
    trained = dict(module.named_parameters())
    parameters = {name: trained[name] for name, _ in prepared.module.named_parameters()}
    return with_parameters(prepared, parameters)


def with_parameters(prepared: Prepared, parameters: Mapping[str, torch.Tensor]) -> Prepared:
    """The prepared program with other values of these parameters, by name; `decibels` is not a number then."""
    module = copy.deepcopy(prepared.module)
    put_parameters(module, parameters)
    exported = finish(module, prepared.spec, input_and_output(module)[0])
    return Prepared(prepared.spec, exported, float("nan"), dict(prepared.changes))


def put_parameters(module: GraphModule, parameters: Mapping[str, torch.Tensor]) -> None:
    """Copy values into a program's parameters, by name."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name in parameters:
                parameter.copy_(parameters[name].detach().cpu())
    if make_biases_unequal(module):
        module.recompile()


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
