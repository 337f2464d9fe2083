"""network.json: a file's faults get the modules of their operators, and float artifacts the risks of halves."""

import torch
from torch import nn

from samesight.contract.verdicts import FaultWarning
from samesight.conversion.cost.cost import Cost
from samesight.conversion.formats import FORMATS
from samesight.conversion.known_faults import KNOWN_FAULTS
from samesight.conversion.network_checks.document import FILE, NetworkFacts, computes_in_halves, read_facts, with_facts
from samesight.conversion.network_checks.places import PLACES, places_of

COST = Cost(macs=1, parameters=1, weight_bytes=1, activation_bytes=1, operators={})


def warning(id, *operators):
    return FaultWarning(
        id=id,
        title="t",
        severity="wrong",
        units=("gpu",),
        versions="v",
        operators=operators,
        count=len(operators),
        remedy="r",
        source="https://example.org",
    )


def test_operators_get_their_modules_and_the_file_decides_what_there_is():
    facts = NetworkFacts(
        cost=COST, images=4, places={"litert-gpu-rank-5": ("a", "b", "c", "d"), "litert-gpu-select": ("e",)}
    )
    found = with_facts([warning("litert-gpu-rank-5", "RESHAPE 3"), warning("other", "ADD 4")], facts, "litert", "fp32")
    assert [(each.id, each.operators, each.count) for each in found] == [
        ("litert-gpu-rank-5", ("a", "b", "c"), 1),
        ("other", ("ADD 4",), 1),
    ]
    assert with_facts(found, None, "litert", "fp32") == tuple(found)


def test_only_what_phones_compute_in_halves_has_their_risks():
    facts = NetworkFacts(cost=COST, images=4, risks=(warning("half-elsewhere", "x"),))
    having = {
        (name, precision)
        for name, row in FORMATS.items()
        for precision in row.precisions
        if with_facts([], facts, name, precision)
    }
    assert {
        ("litert", "fp32"),
        ("litert", "fp16"),
        ("coreml", "fp16"),
        ("coreai", "fp16"),
        ("executorch-vulkan", "fp16"),
    } <= having
    assert not having & {("litert", "int8"), ("coreml", "fp32"), ("onnx", "fp32"), ("executorch", "fp32")}
    assert not having & {("litert", "w8a16")}
    assert computes_in_halves("executorch-coreml", "fp16") and not computes_in_halves("exported", "fp32")
    overflow = NetworkFacts(cost=COST, images=4, risks=(warning("half-overflow", "x"),))
    assert with_facts([], overflow, "litert", "int8") and not with_facts([], overflow, "litert", "w8a16")


def test_a_document_is_read_as_it_was_written(tmp_path):
    assert read_facts(tmp_path) is None
    facts = NetworkFacts(cost=COST, images=2, risks=(warning("half-overflow", "x"),), places={"p": ("q",)})
    (tmp_path / FILE).write_text(facts.to_json())
    assert read_facts(tmp_path) == facts


class Head(nn.Module):
    """The class head of torchvision's SSD: anchors get an axis of their own, the fifth."""

    def forward(self, x):
        x = x.reshape(1, 2, 4, *x.shape[2:]).permute(0, 3, 4, 1, 2)
        return torch.where(x > 0, x, x.flip(1)).reshape(1, -1, 4)


def test_places_name_operator_and_module():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), Head())
    places = places_of(torch.export.export(network.eval(), (torch.zeros(1, 3, 66, 66),)))
    assert places["litert-gpu-rank-5"][0] == "aten.reshape.default in 1 (Head)"
    assert places["litert-gpu-select"] == ("aten.where.self in 1 (Head)",)
    assert set(PLACES) <= set(KNOWN_FAULTS)
