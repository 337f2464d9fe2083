"""Static cost: against torch's own counter of operations, its parameters, and the memory that it holds."""

import json
import weakref

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from samesight.contract.bundle import open_bundle
from samesight.conversion.cost.network import network_cost
from samesight.conversion.cost.program import program_cost
from samesight.conversion.known_faults.network import Network, Operator, Tensor
from samesight.conversion.network_checks.costs import artifact_costs

PUBLIC = {
    "resnet18": lambda: torchvision.models.resnet18(weights=None),
    "mobilenet_v3_small": lambda: torchvision.models.mobilenet_v3_small(weights=None),
    "vit_tiny_patch16_224": lambda: timm.create_model("vit_tiny_patch16_224", pretrained=False),
}
SIDES = {"resnet18": 96, "mobilenet_v3_small": 96, "vit_tiny_patch16_224": 224}


def counted(network, image):
    """Multiply-accumulates by torch's counter, which looks at the operators that run; attention as two products."""
    attention = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), attention:
        network(image)
    return counter.get_total_flops() // 2


class Held(TorchDispatchMode):
    """The most bytes of tensors that are there at one time while a program runs, its weights left out."""

    def __init__(self, weights):
        super().__init__()
        self.storages = [tensor.untyped_storage() for tensor in weights]
        self.known = {storage._cdata: 0 for storage in self.storages}
        self.now = self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.known:
                storage = tensor.untyped_storage()
                self.known[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.drop, storage._cdata)
        return out

    def drop(self, key):
        self.now -= self.known.pop(key)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_net_costs_what_torch_counts(name):
    network, side = PUBLIC[name]().eval(), SIDES[name]
    with torch.no_grad():
        program = torch.export.export(network, (torch.zeros(1, 3, side, side),), strict=False)
    cost = program_cost(program)
    assert cost.macs == counted(network, torch.rand(1, 3, side, side))
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    module = program.module(check_guards=False)
    with Held([*module.parameters(), *module.buffers()]) as held, torch.no_grad():
        torch.fx.Interpreter(module).run(torch.zeros(1, 3, side, side))
    assert cost.activation_bytes == held.most


class Rare(nn.Module):
    """Transposed, grouped and one-dimensional convolutions, and products."""

    def __init__(self):
        super().__init__()
        self.up, self.line = nn.ConvTranspose2d(3, 6, 3, 2, groups=3), nn.Conv1d(6, 4, 5, padding="same")

    def forward(self, x):
        x = self.up(x).flatten(2)
        return torch.addmm(
            torch.ones(4, 4), torch.bmm(x, x.transpose(1, 2))[0, :4] @ torch.ones(6, 6), self.line(x)[0, :, :6].T
        )


def test_rarer_operators_are_counted_too():
    program = torch.export.export(Rare().eval(), (torch.zeros(1, 3, 8, 8),))
    assert program_cost(program).macs == counted(program.module(), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_every_format_of_the_demo_costs_what_its_network_does(demo, name):
    """The files have the network's own numbers, and the normalisation in front: a product and a sum per value."""
    bundle = open_bundle(demo / name)
    network = torch.export.load(str(demo / "runs" / name / "network.pt2")).module()
    channels, sides = 3, (bundle.spec.input.height, bundle.spec.input.width)
    macs = counted(network, torch.rand(1, channels, *sides)) + channels * sides[0] * sides[1]
    costs = artifact_costs(bundle)
    whole = {name: cost for name, cost in costs.items() if cost and "int8.tflite" not in name}
    assert len(whole) >= 7 and {cost.macs for cost in whole.values()} == {macs}
    assert len({cost.parameters for cost in whole.values()}) == 1
    parameters = next(iter(whole.values())).parameters
    assert whole[f"{bundle.spec.name}.fp32.tflite"].weight_bytes == 4 * parameters
    assert 2 * parameters <= whole[f"{bundle.spec.name}.fp16.tflite"].weight_bytes < 2.1 * parameters
    assert parameters < whole[f"{bundle.spec.name}.int8.pte"].weight_bytes < 1.1 * parameters
    # Strided pointwise layers become 3 x 3 in a `.tflite` with int8 weights.
    assert macs < costs[f"{bundle.spec.name}.int8.tflite"].macs < 1.2 * macs
    fp32, int8 = (costs[f"{bundle.spec.name}.{precision}.tflite"].activation_bytes for precision in ("fp32", "int8"))
    assert fp32 == 4 * int8
    assert whole[f"{bundle.spec.name}.fp32.pte"].parts["ExecuTorch"] == 0
    assert costs[f"{bundle.spec.name}.fp16.aimodel"] is None


def test_inspect_and_its_json_show_them(demo, samesight):
    shown = samesight("inspect", demo / "digits").stdout
    assert "costs     9.279 M multiply-accumulates, 166 k parameters in 664 KB" in shown
    assert "operators (21 in XNNPACK, 0 in ExecuTorch)" in shown
    artifacts = json.loads(samesight("inspect", demo / "digits", "--json").stdout)["artifacts"]
    costs = {artifact["name"]: artifact["cost"] for artifact in artifacts}
    assert costs["digits.fp32.tflite"]["macs"] == costs["digits.fp32.onnx"]["macs"] == 9_279_184
    assert costs["digits.fp16.aimodel"] is None


def image(*shape, name="image"):
    return Tensor(name, shape, "float32")


def weight(*shape, dtype="float32", name="weight"):
    return Tensor(name, shape, dtype, constant=True)


@pytest.mark.parametrize(
    ("operator", "macs"),
    [
        # A map of 8 x 8 with 3 channels is doubled to 6 channels by a kernel of 2 x 2.
        (
            Operator("TRANSPOSE_CONV", "", {"1": weight(6, 2, 2, 3), "2": image(1, 8, 8, 3)}, (image(1, 16, 16, 6),)),
            4608,
        ),
        (
            Operator("ConvTranspose", "", {"X": image(1, 3, 8, 8), "W": weight(3, 6, 2, 2)}, (image(1, 6, 16, 16),)),
            4608,
        ),
        (
            Operator(
                "conv_transpose", "", {"x": image(1, 3, 8, 8), "weight": weight(3, 6, 2, 2)}, (image(1, 6, 16, 16),)
            ),
            4608,
        ),
        (
            Operator(
                "XNNConvTranspose2d",
                "",
                {"input1_id": image(1, 8, 8, 3), "filter_id": weight(6, 2, 2, 3)},
                (image(1, 16, 16, 6),),
                {"kernel_height": 2, "kernel_width": 2, "group_output_channels": 6},
            ),
            4608,
        ),
        # [1,5,7] times [1,7,9].
        (Operator("BATCH_MATMUL", "", {"0": image(1, 5, 7), "1": image(1, 7, 9)}, (image(1, 5, 9),)), 315),
        (
            Operator("BATCH_MATMUL", "", {"0": image(1, 7, 5), "1": image(1, 7, 9)}, (image(1, 5, 9),), {"adjX": True}),
            315,
        ),
        (Operator("MatMul", "", {"A": image(1, 5, 7), "B": image(1, 7, 9)}, (image(1, 5, 9),)), 315),
        (Operator("matmul", "", {"x": image(1, 5, 7), "y": image(1, 7, 9)}, (image(1, 5, 9),)), 315),
        (Operator("XNNBatchMatrixMultiply", "", {"input1_id": image(1, 5, 7)}, (image(1, 5, 9),)), 315),
        (Operator("Gemm", "", {"A": image(1, 512), "B": weight(10, 512)}, (image(1, 10),), {"transB": 1}), 5120),
        (
            Operator("CONV_3D", "", {"0": image(1, 4, 4, 4, 2), "1": weight(3, 3, 3, 2, 5)}, (image(1, 2, 2, 2, 5),)),
            2160,
        ),
        (Operator("RELU", "", {"0": image(1, 5)}, (image(1, 5),)), 0),
        (Operator("aten::mean.out"), 0),
        (Operator("aten::convolution.out"), None),
        (Operator("et_vk.linear_q4gsw.default", "", {"0": image(1, 512)}, (image(1, 10),)), None),
        (Operator("aten.upsample_bilinear2d.vec", "", {"0": image(1, 3, 8, 8)}, (image(1, 3, 16, 16),)), 0),
        (Operator("Conv", "", {"X": Tensor("x"), "W": weight(3, 3, 1, 1)}, (Tensor("y"),)), None),
    ],
)
def test_one_operator(operator, macs):
    assert network_cost(Network((operator,))).macs == macs


def test_weights_are_counted_once_and_with_their_scales():
    shared = weight(4, 3, dtype="int8")
    scale = weight(4, name="scale")
    first = Operator("DequantizeLinear", "a", {"x": shared, "x_scale": scale}, (image(4, 3, name="w"),))
    uses = [
        Operator(
            "Gemm", f"g{n}", {"A": image(1, 3), "B": image(4, 3, name="w")}, (image(1, 4, name=f"y{n}"),), {"transB": 1}
        )
        for n in range(2)
    ]
    cost = network_cost(Network((first, *uses), ("y0", "y1")))
    assert (cost.parameters, cost.weight_bytes, cost.macs) == (12, 12 + 16, 24)
    # What is computed of weights alone is none of the values: the input and both outputs.
    assert cost.activation_bytes == 4 * (3 + 4 + 4)
