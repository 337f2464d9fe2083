"""Networks in other precisions are refused in one sentence before any work."""

import pytest
import torch
from torch import nn

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.spec import Input
from samesight.conversion.sources.export import export_network, refuse_other_precisions

SPEC = Input(width=8, height=8, mean=(0.5,) * 3, std=(0.25,) * 3)


def plain():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


class Under(nn.Module):
    """Part of the network under a cast or autocast."""

    def __init__(self, kind):
        super().__init__()
        self.body, self.end, self.kind = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), kind

    def forward(self, x):
        if self.kind == "cast":
            y = (self.body(x).half() * 2).float()
        else:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.kind == "autocast"):
                y = self.body(x)
        return self.end(y.float().mean((2, 3)))


@pytest.mark.parametrize(("network", "dtype"), [(plain().half(), "float16"), (plain().double(), "float64")])
def test_parameters_in_another_precision_are_named(network, dtype):
    with pytest.raises(SamesightError, match=rf"^mine: 0\.weight is {dtype}; .*call \.float\(\)"):
        export_network(network, SPEC, "mine")


@pytest.mark.parametrize(("kind", "where"), [("cast", r"float16 at .*Under"), ("autocast", r"bfloat16 at body")])
def test_casts_and_autocast_are_named_by_module(kind, where):
    with pytest.raises(SamesightError, match=rf"^mine: computes in {where}.*switch autocast off"):
        export_network(Under(kind), SPEC, "mine")


def test_a_program_that_was_exported_elsewhere_is_refused_too():
    program = torch.export.export(Under("cast").eval(), (torch.zeros(1, 3, 8, 8),))
    with pytest.raises(SamesightError, match="theirs: computes in float16"):
        refuse_other_precisions(program, "theirs")


def test_float32_is_exported_also_where_autocast_is_off():
    for network in (plain(), Under("off")):
        assert export_network(network, SPEC, "mine").graph


def test_the_lines_after_a_colon_say_what_is_wrong():
    """torch.compile prefixes names with _orig_mod."""
    with pytest.raises(RuntimeError) as caught:
        plain().load_state_dict(torch.compile(plain()).state_dict())
    said = describe_error(caught.value)
    assert said.startswith("RuntimeError: Error(s) in loading state_dict for Sequential: Missing key(s) in state_dict")
    assert 'Unexpected key(s) in state_dict: "_orig_mod.0.weight"' in said and "\n" not in said
