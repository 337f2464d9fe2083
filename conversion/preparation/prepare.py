"""Prepares a float network for all formats, and proves the result equal to the original.

Every source is an exported program. The passes, in order: one spelling per operator, parameters unshared, BatchNorm
fused, parallel convolutions merged, operators rewritten that a converter cannot take, outputs split into roles, values
of more than four axes reshaped, normalisation prepended, all-equal biases made unequal, everything exported anew for a
contiguous input of batch 1.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.spec import ModelSpec, Role
from samesight.conversion.preparation.activations import rewrite_activations
from samesight.conversion.preparation.batchnorm import fuse_batch_norms
from samesight.conversion.preparation.canonical import canonical
from samesight.conversion.preparation.constants import fold_constants
from samesight.conversion.preparation.copies import rewrite_copies
from samesight.conversion.preparation.distinct_biases import make_biases_unequal
from samesight.conversion.preparation.equivalence import prove
from samesight.conversion.preparation.graph import drop_unread_tensors, forget_history, shape_of
from samesight.conversion.preparation.high_ranks import rewrite_high_ranks
from samesight.conversion.preparation.nearest import rewrite_nearest
from samesight.conversion.preparation.normalisation import normalise, prepend_normalisation
from samesight.conversion.preparation.output_roles import canonical_output, check_channels
from samesight.conversion.preparation.parallel_convolutions import merge_parallel_convolutions
from samesight.conversion.preparation.pools import name_pools, rewrite_pools
from samesight.conversion.preparation.rewrites import (
    rewrite_attention,
    rewrite_flat_linears,
    rewrite_global_means,
    rewrite_late_permutes,
    rewrite_prelu,
    rewrite_relu6,
    rewrite_softmax,
    rewrite_squeezes,
)
from samesight.conversion.preparation.unshare import unshare
from samesight.conversion.qparams import UInt8

IMAGE = "image"


@dataclass(frozen=True, eq=False)
class Prepared:
    """The float program that every format is made from.

    `exported` takes float32 [1,C,H,W], contiguous, values 0..255, and returns one tensor per role in the order of
    `spec.roles`. `decibels` is how well it agrees with the original network. `changes` counts what each pass did.
    `notes` are for people.
    """

    spec: ModelSpec
    exported: ExportedProgram
    decibels: float
    changes: dict[str, int]
    notes: tuple[str, ...] = ()

    @cached_property
    def module(self) -> GraphModule:
        """The program as an fx graph that can be called. Do not change it: lowering shares it."""
        module = self.exported.module(check_guards=False)
        if not isinstance(module, GraphModule):
            raise TypeError("an exported program's module is a GraphModule")
        return module

    @property
    def example(self) -> torch.Tensor:
        """An input of the right shape, dtype and strides."""
        return example_of(self.spec)


def example_of(spec: ModelSpec) -> torch.Tensor:
    """Zeros, float32 [1,C,H,W], contiguous."""
    return torch.zeros(1, spec.input.channel_count, spec.input.height, spec.input.width)


def pixels_of(tensors: UInt8) -> torch.Tensor:
    """The contract's input tensors, uint8 [n,H,W,C], as float32 [n,C,H,W] values 0..255, contiguous."""
    return torch.from_numpy(np.ascontiguousarray(tensors.transpose(0, 3, 1, 2))).float()


def specialise(program: ExportedProgram, spec: ModelSpec) -> ExportedProgram:
    """Export anew for one contiguous float32 image, so that no strides or free sizes of the source remain.

    Raises:
        SamesightError: the network does not take such an input.
    """
    shape = list(example_of(spec).shape)
    try:
        module = program.module()
        with torch.no_grad():
            return torch.export.export(module, (example_of(spec),), strict=False)
    except Exception as error:
        raise SamesightError(
            f"{spec.name}: the network does not take one float32 input of shape {shape} ({first_line(error)}); "
            "correct the spec's input or export the network with that input"
        ) from error


def outputs_by_name(program: ExportedProgram, spec: ModelSpec, output_nodes: list[Node]) -> dict[str, Node]:
    """The output nodes under the spec's names: by name where the network returns a dictionary, else by position.

    Raises:
        SamesightError: another number of outputs, or other names.
    """
    names = spec.outputs.tensors
    tree: Any = pytree.tree_unflatten(list(range(len(output_nodes))), program.call_spec.out_spec)
    if isinstance(tree, Mapping) and all(isinstance(position, int) for position in tree.values()):
        missing = [name for name in names if name not in tree]
        if missing:
            raise SamesightError(
                f"{spec.name}: the network returns {sorted(map(str, tree))}, but the spec names {missing[0]!r}; "
                "correct the spec's outputs"
            )
        return {name: output_nodes[tree[name]] for name in names}
    if len(output_nodes) != len(names):
        raise SamesightError(
            f"{spec.name}: the network returns {len(output_nodes)} outputs, but the spec names {len(names)} "
            f"({list(names)}); correct the spec's outputs"
        )
    return dict(zip(names, output_nodes, strict=True))


def finish(module: GraphModule, spec: ModelSpec, image: Node) -> ExportedProgram:
    """Give the graph, which returns the roles, its plain signature (image) -> (roles...) and export it."""
    image.target = IMAGE
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    drop_unread_tensors(module)
    module.graph.lint()
    module.recompile()
    module.requires_grad_(False)
    with torch.no_grad():
        return forget_history(torch.export.export(module, (example_of(spec),), strict=False))


def prepare(program: ExportedProgram, spec: ModelSpec, samples: UInt8 | None = None) -> Prepared:
    """Make a network ready for every format.

    `program` takes the normalised input that `spec.input` describes and returns `spec.outputs.tensors`. `samples` are
    calibration inputs, uint8 [n,H,W,C], on which the result is compared besides noise.

    Raises:
        SamesightError: the network contradicts its spec, is in training mode, or the result would differ from it.
    """
    original = specialise(program, spec)
    module = canonical(original, spec.name)
    image, end = input_and_output(module)
    changes = {
        "constants folded": fold_constants(module),
        "unshared": unshare(module),
        "batch norms fused": fuse_batch_norms(module),
        "branches merged": merge_parallel_convolutions(module),
        "activations rewritten": rewrite_prelu(module) + rewrite_relu6(module) + rewrite_activations(module),
        "pools rewritten": name_pools(module) + rewrite_pools(module),
        "means rewritten": rewrite_global_means(module),
        "copies": rewrite_copies(module),
        "resizes": rewrite_nearest(module),
        "attention rewritten": rewrite_attention(module),
        "reshapes": rewrite_squeezes(module) + rewrite_softmax(module),
        "linears turned": rewrite_flat_linears(module),
    }
    output_nodes = [node for node in end.args[0] if isinstance(node, Node)]  # type: ignore[union-attr]
    nodes_by_name = outputs_by_name(original, spec, output_nodes)
    outputs: dict[Role, Node] = {
        role: canonical_output(module, spec, role, nodes_by_name[spec.outputs.roles[role].tensor], end)
        for role in spec.roles
    }
    check_channels(spec, {role: shape_of(node) for role, node in outputs.items()})
    end.args = (tuple(outputs.values()),)
    changes["permutes moved"] = rewrite_late_permutes(module)
    changes["high ranks"] = rewrite_high_ranks(module)
    changes["normalisation"] = prepend_normalisation(module, image, spec.input)
    changes["biases told apart"] = make_biases_unequal(module)
    exported = finish(module, spec, image)
    prepared_module = exported.module(check_guards=False)
    reference = original.module(check_guards=False)

    proof = prove(
        lambda tensor: outputs_in_order(reference(tensor), spec),
        prepared_module,
        lambda: in_float64(original, spec),
        lambda pixels: normalise(pixels, spec.input),
        spec,
        None if samples is None else pixels_of(samples),
    )
    return Prepared(spec, exported, proof.decibels, changes, proof.notes)


def outputs_in_order(returned: Any, spec: ModelSpec) -> list[torch.Tensor]:
    """What a network returns, in the order of the spec's outputs."""
    if isinstance(returned, Mapping):
        return [returned[name] for name in spec.outputs.tensors]
    return [leaf for leaf in pytree.tree_leaves(returned) if isinstance(leaf, torch.Tensor)]


def in_float64(program: ExportedProgram, spec: ModelSpec) -> Callable[[torch.Tensor], list[torch.Tensor]]:
    """A program as a function that computes in float64."""
    # A copy: the prepared program shares tensors with the original, and would have doubles in it.
    module = copy.deepcopy(program.module(check_guards=False)).double()
    return lambda tensor: outputs_in_order(module(tensor), spec)


def input_and_output(module: GraphModule) -> tuple[Node, Node]:
    """The one input and the output node.

    Raises:
        SamesightError: another number of inputs.
    """
    inputs = [node for node in module.graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise SamesightError(
            f"the network takes {len(inputs)} inputs, but must take one image; wrap it in a module that does"
        )
    return inputs[0], next(iter(reversed(module.graph.nodes)))


__all__ = ["IMAGE", "Prepared", "example_of", "pixels_of", "prepare"]
