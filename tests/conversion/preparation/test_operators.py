"""Operators that are written with others before conversion: equal to the original, and gone."""

import numpy as np
import torch

from samesight.contract.spec import parse_spec
from samesight.conversion.formats.operator_cases import CASES, Between
from samesight.conversion.formats.operator_sweep import SIZE, SPEC, pictures
from samesight.conversion.preparation.activations import INT8_FORMULAS, quantizable
from samesight.conversion.preparation.prepare import pixels_of, prepare

aten = torch.ops.aten
GONE = {
    "hardshrink": aten.where.ScalarSelf,
    "threshold": aten.threshold.default,
    "glu": aten.glu.default,
    "clamp": aten.clamp.default,
    "rsub": aten.rsub.Scalar,
    "norm": aten.linalg_vector_norm.default,
    "max": aten.max.dim,
    "masked_fill": aten.masked_fill.Scalar,
    "chunk": aten.split.Tensor,
    "split": aten.split_with_sizes.default,
    "unbind and stack": aten.unbind.int,
    "pad": aten.pad.default,
    "pad with a negative number": aten.pad.default,
    "pad by reflection": aten.pad.default,
    "pad circular": aten.pad.default,
    "repeat": aten.repeat.default,
    "repeat_interleave": aten.repeat_interleave.self_int,
    "expand": aten.expand.default,
    "mean over the map": aten.expand.default,
    "attention": aten.scaled_dot_product_attention.default,
}


ACTIVATIONS = ("softplus", "log_sigmoid", "mish", "elu", "selu", "celu")


def prepared_sum(names):
    """The prepared network of the sum of several operators, which `prepare` proves equal to the original."""

    def total(x):
        return sum(CASES[name](x)[..., :10, :10] for name in names)

    program = torch.export.export(Between(total).eval(), (torch.zeros(1, 3, SIZE, SIZE),))
    before = targets(program.run_decompositions({}).module())
    return prepare(program, parse_spec(SPEC, "spec"), pictures()[:4]), before


def targets(module):
    return {node.target for node in module.graph.nodes if node.op == "call_function"}


def test_operators_are_written_with_others():
    prepared, before = prepared_sum(GONE)
    assert set(GONE.values()) <= before
    assert not set(GONE.values()) & targets(prepared.module)
    assert prepared.decibels > 100


def test_in_int8_activations_have_no_branches():
    prepared, before = prepared_sum(ACTIVATIONS)
    activations = set(INT8_FORMULAS) - {aten.div.Tensor}
    assert before & activations == activations & targets(prepared.module) == activations
    module = quantizable(prepared.module)
    assert not targets(module) & (set(INT8_FORMULAS) | {aten.where.self})
    images = pixels_of(pictures()[:1])
    with torch.no_grad():
        # Far from zero, where exp overflows and 1 + exp(x) is 1, as well.
        for pixels in (images, 40 * images, -40 * images):
            np.testing.assert_allclose(module(pixels)[0], prepared.module(pixels)[0], rtol=1e-4, atol=1e-4)


def test_a_softmax_over_a_row_is_that_of_a_matrix():
    module = prepared_sum(["softmax over a row"])[0].module
    (softmax,) = [node for node in module.graph.nodes if node.target is aten.softmax.int]
    assert len(softmax.meta["val"].shape) == 2
