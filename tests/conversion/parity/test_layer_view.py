"""`verify --layers`: a layer whose weights were changed in the file is named by its module, whatever the format."""

import json
import struct

import flatbuffers
import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from samesight.contract.bundle import open_bundle
from samesight.conversion.known_faults.readers.pte_file import _payload, flatbuffer_as_json
from samesight.conversion.parity.layer_match import Pair, match
from samesight.conversion.parity.layer_text import print_layers
from samesight.conversion.parity.layer_view import (
    load_layers,
    open_float_program,
    save_layers,
    view_layers,
)
from samesight.conversion.parity.results import Results
from samesight.conversion.report.layers import make_layer_charts
from samesight.conversion.report.page import Machine
from samesight.conversion.report.report import render
from samesight.conversion.runners.executorch_schemas import GRAPH, PROGRAM, executorch_root
from samesight.conversion.runners.traced import TracedValue
from samesight.conversion.workflow.cache import Cache
from support.faulty import reseal


def changed_onnx(file, shape):
    """The first weights of this shape times three."""
    model = onnx.load(file)
    weights = next(w for w in model.graph.initializer if list(w.dims) == list(shape))
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * np.float32(3), weights.name))
    onnx.save(model, file)


def changed_tflite(file, shape):
    """The same in a TFLite file, whose weights have the output's channels first and the input's last."""
    data = file.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    wanted = [shape[0], shape[2], shape[3], shape[1]]
    tensor = next(t for t in graph.tensors if list(t.shape) == wanted and model.buffers[t.buffer].data is not None)
    stored = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int8)
    model.buffers[tensor.buffer].data = np.clip(stored.astype(int) * 3, -127, 127).astype(np.int8).view(np.uint8)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))


def changed_pte(file, shape):
    """The same in an XNNPACK delegate, whose weights stand in a segment of the file, channels last."""
    data, root = bytearray(file.read_bytes()), executorch_root()
    program = flatbuffer_as_json(bytes(data), root, PROGRAM)
    payload = _payload(bytes(data), program, program["execution_plan"][0]["delegates"][0]["processed"])
    offset, size = struct.unpack("<II", payload[10:18])
    graph = flatbuffer_as_json(payload[offset : offset + size], root, GRAPH)
    tensors = [value["xvalue_union"].get("tensor_value", value["xvalue_union"]) for value in graph["xvalues"]]
    wanted = [shape[0], shape[2], shape[3], shape[1]]
    (weights,) = (tensor for tensor in tensors if tensor.get("dims") == wanted and tensor["constant_buffer_idx"])
    key = graph["constant_data"][weights["constant_buffer_idx"]]["named_key"]
    (number,) = (named["segment_index"] for named in program["named_data"] if named["key"] == key)
    (start,) = struct.unpack("<Q", data[24:32])
    start += program["segments"][number]["offset"]
    end = start + program["segments"][number]["size"]
    floats = weights["datatype"] == "xnn_datatype_fp32"
    stored = np.frombuffer(bytes(data[start:end]), np.float32 if floats else np.int8)
    data[start:end] = (
        stored * np.float32(3) if floats else np.clip(stored.astype(int) * 3, -127, 127).astype(np.int8)
    ).tobytes()
    file.write_bytes(data)


def changed_torchscript(file, shape):
    extra = {"model.json": ""}
    module = torch.jit.load(file, _extra_files=extra)
    (weights,) = (value for value in module.state_dict().values() if tuple(value.shape) == tuple(shape))
    weights.mul_(3)
    save = module._save_for_lite_interpreter if file.suffix == ".ptl" else module.save
    save(str(file), _extra_files={name: text.decode() for name, text in extra.items()})


def changed_coreai(file, shape):
    """The same in an asset, whose program holds the bytes of the weights; they are those of the float network."""
    from samesight.conversion.sources.server_model import load_program

    state = load_program(file.parent / "digits.fp32.pt2").state_dict
    (weights,) = (value for value in state.values() if tuple(value.shape) == tuple(shape))
    program = file / "main.mlirb"
    data = program.read_bytes()
    stored = weights.detach().half().numpy().tobytes()
    assert data.count(stored) == 1
    program.write_bytes(data.replace(stored, (weights.detach().half() * 3).numpy().tobytes()))


def shape_of(bundle, module):
    """The shape of a convolution's weights in the float network."""
    from samesight.conversion.preparation.graph import module_of
    from samesight.conversion.sources.server_model import load_program

    artifact = next(a for a in bundle.manifest.artifacts if a.format == "exported")
    graph = load_program(bundle.path(artifact)).graph
    node = next(n for n in graph.nodes if module_of(n).startswith(module) and "conv2d" in str(n.target))
    return tuple(node.args[1].meta["val"].shape)


CHANGED = {
    ("digits", "fp32.onnx"): (changed_onnx, "blocks.1.shortcut.0"),
    ("digits", "int8.tflite"): (changed_tflite, "blocks.1.second.0"),
    ("scenes", "fp32.onnx"): (changed_onnx, "MIDDLE"),
    ("scenes", "int8.tflite"): (changed_tflite, "MIDDLE"),
}


def unique_convolution(bundle):
    """A convolution in the middle of a network whose weights no other has the shape of."""
    program = open_float_program(bundle)
    modules = [m.split(" ")[0] for m in dict.fromkeys(program.modules.values()) if m.endswith("(Conv2d)")]
    shapes = {module: shape_of(bundle, module) for module in modules}
    unique = [module for module in modules if list(shapes.values()).count(shapes[module]) == 1]
    return unique[len(unique) // 2]


@pytest.mark.parametrize(("name", "artifact"), CHANGED)
def test_a_changed_layer_is_named_by_its_module(demo, copy_of, samesight_here, name, artifact):
    folder = copy_of(demo / name)
    bundle = open_bundle(folder)
    change, module = CHANGED[name, artifact]
    module = unique_convolution(bundle) if module == "MIDDLE" else module
    change(folder / f"artifacts/{name}.{artifact}", shape_of(bundle, module))
    reseal(folder)
    done = samesight_here("verify", folder, "--layers", "--artifact", f"{name}.{artifact}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"first to break: {module} (" in done.stdout, done.stdout


def test_a_changed_layer_is_named_in_the_files_of_torch_executorch_and_core_ai(demo, copy_of):
    folder = copy_of(demo / "digits")
    bundle, module = open_bundle(folder), "blocks.1.second.0"
    changes = {
        "fp32.pte": changed_pte,
        "int8.pte": changed_pte,
        "fp32.pt": changed_torchscript,
        "fp32.ptl": changed_torchscript,
        "fp16.aimodel": changed_coreai,
    }
    for kind, change in changes.items():
        change(folder / f"artifacts/digits.{kind}", shape_of(bundle, module))
    reseal(folder)
    view = view_layers(open_bundle(folder), [f"digits.{kind}" for kind in changes])
    assert not view.failed and len(view.artifacts) == len(changes), view.failed
    for artifact in view.artifacts:
        assert artifact.broken is not None, artifact.artifact
        assert artifact.broken.module == f"{module} (Conv2d)", (artifact.artifact, artifact.broken)


@pytest.fixture(scope="module")
def views(demo):
    kinds = ("fp32.onnx", "int8.onnx", "fp32.tflite", "fp16.tflite", "int8.tflite", "fp32.pte", "int8.pte", "fp32.pt")
    names = {"digits": (*kinds, "fp32.ptl", "fp16.aimodel", "fp16.mlpackage"), "scenes": kinds}
    return {
        name: view_layers(open_bundle(demo / name), [f"{name}.{kind}" for kind in kinds])
        for name, kinds in names.items()
    }


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_nothing_breaks_in_the_demo(views, name):
    view = views[name]
    by_name = {artifact.artifact: artifact for artifact in view.artifacts}
    assert view.passed, print_layers(view)
    assert len(by_name) == (11 if name == "digits" else 8)
    for kind, artifact in by_name.items():
        # All but paddings, reshapes and parts of a layer stand for a node, and every convolution's module is there.
        assert artifact.inside and len(artifact.layers) >= 0.5 * artifact.values, kind
        modules = {layer.module for layer in artifact.layers}
        expected = {layer.module for layer in by_name[f"{name}.fp32.onnx"].layers if layer.operator == "Conv"}
        assert expected <= modules, (kind, expected - modules)
    # Weights in half precision lose less than integers.
    least = {
        kind: min(v.snr_db or 200 for v in by_name[f"{name}.{kind}"].layers)
        for kind in ("fp32.tflite", "fp16.tflite", "int8.tflite")
    }
    assert least["fp32.tflite"] > least["fp16.tflite"] > least["int8.tflite"]


def test_values_are_matched_by_order_shape_and_content():
    """Names that say nothing, channels last, an activation that is fused, and one layer that is broken."""
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(1, 4, 6, 6)).astype(np.float32), rng.normal(size=(1, 4, 6, 6)).astype(np.float32)
    broken = rng.normal(size=(1, 8, 3, 3)).astype(np.float32)
    nodes = {
        "conv2d": first,
        "relu": np.maximum(first, 0),
        "conv2d_1": broken,
        "add": last,
        "linear": np.ones((1, 5), np.float32),
    }
    values = {
        "0": np.maximum(first, 0).transpose(0, 2, 3, 1),
        "padding": np.zeros((1, 8, 8, 4), np.float32),
        "1": rng.normal(size=(1, 3, 3, 8)).astype(np.float32),
        "2": last.transpose(0, 2, 3, 1) * 2,
        "3": np.ones((1, 5, 1), np.float32),
    }
    traced = [TracedValue(name, "?", value) for name, value in values.items()]
    assert match(traced, nodes, {}) == [
        Pair(0, "relu", True),
        Pair(2, "conv2d_1", True),
        Pair(3, "add", True),
        Pair(4, "linear"),
    ]


def test_json_the_cache_and_the_report(views, demo, samesight_here, tmp_path):
    told = samesight_here("verify", demo / "digits", "--layers", "--artifact", "digits.int8.onnx", "--json")
    assert "KernelPreference" not in told.stderr
    (artifact,) = json.loads(told.stdout)["artifacts"]
    assert told.returncode == 0 and artifact["first"] is None and artifact["layers"][1]["module"] == "stem.0 (Conv2d)"
    bundle, cache = open_bundle(demo / "digits"), Cache(tmp_path)
    assert load_layers(bundle, cache) is None
    save_layers(views["digits"], cache)
    assert load_layers(bundle, cache) == views["digits"]
    charts = make_layer_charts(views["digits"])
    assert {chart.name for chart in charts} >= {"digits.int8.tflite", "digits.fp16.mlpackage"}
    assert all(len(chart.points) > 10 and chart.broken is None for chart in charts)


def test_what_does_not_fit_is_one_sentence(demo, copy_of, samesight_here):
    both = samesight_here("verify", demo / "digits", "--layers", "--apps")
    assert both.returncode == 2 and "--layers compares values" in both.stderr
    folder = copy_of(demo / "digits")
    (folder / "artifacts/digits.fp32.pt2").unlink()
    from samesight.contract.bundle import seal

    bundle = open_bundle(demo / "digits")
    kept = tuple(a for a in bundle.manifest.artifacts if a.format != "exported")
    seal(folder, bundle.spec, kept, bundle.manifest.data, bundle.manifest.samesight)
    without = samesight_here("verify", folder, "--layers")
    assert without.returncode == 1 and "has no .pt2" in without.stderr and without.stderr.count("\n") == 1


def test_the_page_shows_where_a_layer_breaks(views, demo):
    bundle, view = open_bundle(demo / "digits"), views["digits"]
    artifact = next(artifact for artifact in view.artifacts if artifact.artifact == "digits.int8.tflite")
    low = artifact.layers[5].model_copy(update={"snr_db": 3.2})
    broken = artifact.model_copy(update={"layers": (*artifact.layers[:5], low, *artifact.layers[6:]), "first": 5})
    seen, view = Results(bundle.golden_cases(), None, {}, {}), view.model_copy(update={"artifacts": (broken,)})
    html = render(bundle, seen, bundle.verdicts(), None, Machine("a CPU", "Linux"), view)
    section = html[html.index('<section aria-labelledby="h-layers"') :]
    section = section[: section.index("</section>")]
    assert f"First to break: {low.module}, {low.operator}: 3.2 dB." in section
    assert section.count("<title>") == len(artifact.layers) and section.count("k-int8") == 1
    assert "Layer by layer" not in render(bundle, seen, bundle.verdicts(), None, Machine("a CPU", "Linux"))
