"""Files of torch that run code or touch files while they load: each is refused in one sentence, and nothing ran."""

import contextlib
import io
import json
import os
import pathlib
import pickle
import re
import sys
import warnings
import zipfile

import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.runners.torch import LOADERS
from samesight.conversion.sources.checked_archive import checked_program, checked_torchscript
from samesight.conversion.sources.server_model import load_program

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x, *, scale=None):
        return {"out": torch.relu(self.layer(x)) * x.shape[0] + scale}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A `.pt2` with a symbolic size, guards, and a keyword argument: everything that torch evaluates."""
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    dynamic = {"x": {0: torch.export.Dim("batch", max=9)}, "scale": None}
    arguments = (torch.ones(2, 4),), {"scale": torch.ones(3)}
    torch.export.save(torch.export.export(Net(), *arguments, dynamic_shapes=dynamic), path)
    return path


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """The file that an attack makes, and a module on the path that makes it when it is imported."""
    mark = tmp_path / "ran"
    (tmp_path / "makes_mark.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield mark
    sys.modules.pop("makes_mark", None)


class Touches:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return pathlib.Path.touch, (self.mark,)


class System(Touches):
    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


class State(Touches):
    def __reduce__(self):
        return object.__new__, (State,), {"mark": self.mark}

    def __setstate__(self, state):
        state["mark"].touch()


def saved(value):
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def within_a_tensor(mark):
    """A tensor whose offset in its storage is an object."""

    class Nested:
        def __reduce__(self):
            storage = torch.ones(2).storage()
            return torch._utils._rebuild_tensor_v2, (storage, Touches(mark), (2,), (1,), False, None)

    return saved(((Nested(),), {}))


def rewritten(source, target, change):
    """A copy of an archive with `change(name in its folder, content)` in place of each content, and more entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            root, _, name = item.filename.partition("/")
            result = change(name, old.read(item))
            for other, data in result.items() if isinstance(result, dict) else ((name, result),):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # about names that are there twice
                    new.writestr(f"{root}/{other}", data)
    return target


def instead(place, content):
    return lambda name, data: content if name == place else data


def edited(place, edit):
    """`edit` changes a JSON document in place."""

    def change(name, data):
        if name != place:
            return data
        document = json.loads(data)
        edit(document)
        return json.dumps(document).encode()

    return change


def beside(place, more):
    return lambda name, data: {name: data, **more} if name == place else data


def call(mark):
    return f"__import__('pathlib').Path({str(mark)!r}).touch()"


def pickled_weight(mark):
    def change(name, data):
        if name == WEIGHTS:
            document = json.loads(data)
            document["config"]["layer.weight"].update(use_pickle=True, tensor_meta=None)
            return json.dumps(document).encode()
        return saved(Touches(mark)) if name == "data/weights/weight_0" else data

    return change


def pickled_constant(prefix, content):
    def change(name, data):
        if name != CONSTANTS:
            return data
        payload = {"path_name": f"{prefix}0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        document = json.dumps({"config": {"extra": payload}}).encode()
        return {name: document, f"data/constants/{prefix}0": content}

    return change


def graph_of(document):
    return document["graph_module"]["graph"]


def symbolic(text):
    def edit(document):
        for meta in graph_of(document)["tensor_values"].values():
            for size in meta["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = text

    return edited(MODEL, edit)


def guard(text):
    return edited(MODEL, lambda document: document["guards_code"].append(text))


def structure(kind, context):
    def edit(document):
        signature = document["graph_module"]["module_call_graph"][0]["signature"]
        version, spec = json.loads(signature["out_spec"])
        signature["out_spec"] = json.dumps([version, spec | {"type": kind, "context": context}])

    return edited(MODEL, edit)


def renamed(old, new):
    """One name everywhere, as in a file that is consistent."""
    return edited(
        MODEL, lambda document: document.update(json.loads(json.dumps(document).replace(*map(quote, (old, new)))))
    )


def quote(text):
    return json.dumps(text)


def operator(target):
    return edited(MODEL, lambda document: graph_of(document)["nodes"][-1].update(target=target))


ENUM = json.dumps(["out", {"__enum__": True, "fqn": "makes_mark:Kind", "name": "X"}])
DEFAULT = {"default_factory_module": "makes_mark", "default_factory_name": "X", "dict_context": ["out"]}

# Each attack: what changes the program, and what the sentence says. Those of the first table run where torch alone
# loads the file.
RUN = {
    "reduce": (lambda mark: instead(SAMPLES, saved(((Touches(mark),), {}))), "sample inputs are more than tensors"),
    "system": (lambda mark: instead(SAMPLES, saved(((System(mark),), {}))), "sample inputs are more than tensors"),
    "setstate": (lambda mark: instead(SAMPLES, saved(((State(mark),), {}))), "sample inputs are more than tensors"),
    "offset": (lambda mark: instead(SAMPLES, within_a_tensor(mark)), "sample inputs are more than tensors"),
    "weight": (pickled_weight, "layer.weight is pickled"),
    "constant": (lambda mark: pickled_constant("tensor_", saved(Touches(mark))), "holds|pickled"),
    "opaque": (lambda mark: pickled_constant("opaque_obj_", pickle.dumps(Touches(mark))), "holds"),
    "sympy": (lambda mark: symbolic(call(mark)), "no size or condition of sizes"),
    "guard": (lambda mark: guard(call(mark)), "no size or condition of sizes"),
    "enum": (lambda mark: structure("builtins.dict", ENUM), "keys that are no names"),
    "defaultdict": (lambda mark: structure("collections.defaultdict", DEFAULT), "of the type"),
}
MORE = {
    "guard message": (lambda mark: guard(f"1 == 1, ''), {call(mark)}, (''"), "no size or condition of sizes"),
    "argument": (lambda mark: renamed("x", f"x={call(mark)}"), "is no name"),
    "keyword": (lambda mark: renamed("scale", f"scale': {call(mark)}, 'a"), "is no name"),
    "parameter": (lambda mark: renamed("layer.weight", f'layer.weight" + {call(mark)} + "'), "is no name"),
    "dunder": (lambda mark: renamed("layer.weight", "__class__.forward"), "is no name"),
    "tensor from a file": (lambda mark: operator("torch.ops.aten.from_file.default"), "calls the operator"),
    "function of torch": (lambda mark: operator("torch.hub.load"), "calls the operator"),
    "extension": (lambda mark: operator("#any:thing"), "calls the operator"),
    "unknown operators": (lambda mark: operator("torch.ops.c10d.send.default"), "calls the operator"),
    "library": (lambda mark: beside(MODEL, {"data/aotinductor/model/a.so": b"\x7fELF"}), "holds 'data/aotinductor"),
    "older format": (
        lambda mark: beside(MODEL, {"data/weights/model.pt": saved(Touches(mark))}),
        "holds 'data/weights",
    ),
    "power": (lambda mark: symbolic("Pow(Integer(9), Pow(Integer(9), Integer(9)))"), "no size or condition"),
    "attribute": (lambda mark: symbolic("Symbol('s1').__class__"), "no size or condition"),
    "nesting": (lambda mark: symbolic("-" * 15_000 + "1"), "no size or condition"),
}


def one_sentence(error, path):
    text = str(error.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and len(text) < 500
    return text


@pytest.mark.parametrize("name", [*RUN, *MORE])
def test_a_program_that_would_run_code_is_refused(program, mark, tmp_path, name):
    make, sentence = {**RUN, **MORE}[name]
    path = rewritten(program, tmp_path / "bad.pt2", make(mark))
    with pytest.raises(SamesightError, match=sentence) as error:
        load_program(path)
    assert one_sentence(error, path).endswith("so it could run code; it is refused (docs/trust.md)")
    assert not mark.exists()


@pytest.mark.parametrize("name", RUN)
def test_these_attacks_are_real(program, mark, tmp_path, name):
    path = rewritten(program, tmp_path / "bad.pt2", RUN[name][0](mark))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):
            torch.export.load(path).module()(torch.ones(3, 4), scale=torch.ones(3))
    assert mark.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda name, data: {name: data, **({MODEL: data} if name == MODEL else {})}, None),
        (beside(MODEL, {MODEL + "/": b""}), "is no file"),
        (lambda name, data: {} if name == SAMPLES else data, "it has no data/sample_inputs/model.pt"),
        (instead(MODEL, b"{"), "damaged or not an exported program"),
        (instead(MODEL, b"[" * 200_000), "nested too deeply"),
    ],
)
def test_a_damaged_program_is_a_sentence(program, tmp_path, change, sentence):
    path = rewritten(program, tmp_path / "bad.pt2", change)
    if sentence is None:
        assert load_program(path)
        return
    with pytest.raises(SamesightError, match=re.escape(sentence)) as error:
        load_program(path)
    one_sentence(error, path)


def test_an_entry_that_is_there_twice_is_refused(program, tmp_path):
    path = rewritten(program, tmp_path / "bad.pt2", lambda name, data: data)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"net/{MODEL}", b"{}")
    with pytest.raises(SamesightError, match=r"models/model\.json is there twice") as error:
        load_program(path)
    one_sentence(error, path)


def test_sizes_are_limited_before_anything_is_read(program, tmp_path, monkeypatch):
    monkeypatch.setattr("samesight.conversion.sources.checked_archive.NETWORK_BYTES", 1000)
    with pytest.raises(SamesightError, match="more than 1,000 bytes"):
        checked_program(program)
    bomb = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/" + MODEL, b"\0" * 100_000)
    with pytest.raises(SamesightError, match="or 1,000 bytes inside"):
        checked_program(bomb)


def test_what_torch_exports_still_loads(program):
    loaded = load_program(program).module()
    assert loaded(torch.ones(3, 4), scale=torch.zeros(3))["out"].shape == (3, 3)
    with pytest.raises(AssertionError, match="Guard failed"):
        loaded(torch.ones(10, 4), scale=torch.zeros(3))


# ---- TorchScript ----


class Saves(torch.nn.Module):
    def __init__(self, place):
        super().__init__()
        self.place: str = place

    def forward(self, x):
        torch.save(x, self.place)
        return x


class Adds(torch.nn.Module):
    def forward(self, x):
        return torch.add(x, x)


def scripted(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(module)
        script._save_for_lite_interpreter(str(path)) if path.suffix == ".ptl" else script.save(str(path))
    return path


def load_runner(path):
    check, load = LOADERS[path.suffix]
    return load(check(path))


@pytest.mark.parametrize("suffix", [".pt", ".ptl"])
def test_torchscript_that_writes_a_file_is_refused(tmp_path, mark, suffix):
    path = scripted(Saves(str(mark)), tmp_path / f"bad{suffix}")
    with pytest.raises(SamesightError, match=r"names the operator '(aten::)?save', so it could run code") as error:
        load_runner(path)
    one_sentence(error, path)
    assert not mark.exists()


def test_byte_code_that_writes_a_file_is_refused(tmp_path, mark):
    path = scripted(Saves(str(mark)), tmp_path / "saves.ptl")
    harmless = rewritten(
        path, tmp_path / "bad.ptl", lambda name, data: data.replace(b"save", b"add") if name.endswith(".py") else data
    )
    with pytest.raises(SamesightError, match=r"bytecode\.pkl names the operator 'aten::save'") as error:
        load_runner(harmless)
    one_sentence(error, harmless)
    assert not mark.exists()


CALL = "torch.add(x, x)"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x.save('{mark}')", "names the operator 'save'"),
        ("torch . save(x, '{mark}')", "names the operator 'save'"),
        ("torch.\\\n  save(x, '{mark}')", "names the operator 'save'"),
        ("torch.from_file('/etc/passwd', False, 3)", "names the operator 'from_file'"),
        ("ops.image.write_file('{mark}', x)", "names the operator 'write_file'"),
        ("ops.image.decode_png(x)", "calls image operators"),
        ("ops.profiler._record_function_enter('a')", "calls profiler operators"),
        ("ops . prim.abs(x)", "calls unknown operators"),
        ("(ops).c10d.send(x)", "calls unknown operators"),
        ("__torch__.torch.classes.dist_rpc.WorkerInfo(x)", "makes objects of torch.classes"),
    ],
)
def test_torchscript_with_other_operators_is_refused(tmp_path, mark, code, sentence):
    good = scripted(Adds(), tmp_path / "good.pt")
    code = code.replace("{mark}", str(mark)).encode()

    def change(name, data):
        return data.replace(CALL.encode(), code) if name.endswith(".py") else data

    path = rewritten(good, tmp_path / "bad.pt", change)
    assert code in b"".join(zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist())
    with pytest.raises(SamesightError, match=re.escape(sentence)) as error:
        load_runner(path)
    one_sentence(error, path)
    assert not mark.exists()


def test_torchscript_of_tensors_alone_still_loads(tmp_path):
    for suffix in (".pt", ".ptl"):
        assert load_runner(scripted(Adds(), tmp_path / f"good{suffix}"))(torch.ones(2)).tolist() == [2, 2]
    with pytest.raises(SamesightError, match="damaged or not a TorchScript file"):
        checked_torchscript(pathlib.Path(__file__))
    (tmp_path / "eager.pt").write_bytes(saved({"a": torch.ones(1)}))
    with pytest.raises(SamesightError, match=r"it has no data\.pkl and code"):
        checked_torchscript(tmp_path / "eager.pt")


def test_all_that_our_exporters_write_passes(demo):
    paths = [path for path in sorted(demo.glob("*/artifacts/*")) if path.suffix in LOADERS]
    paths += sorted(demo.glob("runs/*/network.pt2"))
    assert len(paths) == 8 and {path.suffix for path in paths} == set(LOADERS)
    for path in paths:
        LOADERS[path.suffix][0](path)
