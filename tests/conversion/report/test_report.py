"""The report's page: it says what the verdicts say, loads nothing, escapes what people wrote, and never changes."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

import samesight.datasets
from samesight.cli.report import report
from samesight.contract.bundle import open_bundle, replacing_bundle, seal
from samesight.contract.device_results import Times
from samesight.contract.errors import SamesightError
from samesight.contract.golden import write_cases
from samesight.contract.manifest import Artifact, DataSource, LeftOperator, Plan, TensorInfo
from samesight.contract.preprocess import geometry
from samesight.contract.spec import BoxCoding, Detection, Input, ModelSpec, Outputs, Slice
from samesight.contract.verdicts import AppVerdict
from samesight.conversion.parity.results import run_artifacts
from samesight.conversion.parity.verify import merge_apps, verify_bundle
from samesight.conversion.quantization.recipe import FILE as RECIPE_FILE
from samesight.conversion.quantization.recipe import Found, FoundLayer, Recipe
from samesight.conversion.report.page import Machine
from samesight.conversion.report.recipe import make_recipe_picture
from samesight.conversion.report.report import render, report_bundle
from samesight.conversion.report.text import TIMES, percent, signed
from samesight.conversion.runners import RUNNERS, onnxruntime
from samesight.conversion.runners.bench import Latencies, Latency
from samesight.conversion.workflow.golden_cases import answer_split, make_cases
from samesight.datasets.example import Example, Truth

MACHINE = Machine("A processor", "System x")
VOID = {"meta", "link", "input", "br", "wbr", "hr", "img"}
CELL, CELLS, SIDE = 8, 4, 32
SHAPES = {"classification": {"logits": (1, 3)}, "detection": {"logits": (1, 16, 3), "boxes": (1, 16, 4)}}
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }} & co")


def spec_of(task, labels=("red", "green", "blue")):
    seen = Input(width=SIDE, height=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3)
    logits = Slice(tensor="logits", channel_axis=None if task == "classification" else 2)
    if task == "classification":
        outputs = Outputs(tensors=("logits",), roles={"logits": logits}, activation="softmax")
        return ModelSpec(name="tiny", task=task, input=seen, outputs=outputs, labels=labels)
    roles = {"logits": logits, "boxes": Slice(tensor="boxes", channel_axis=2)}
    outputs = Outputs(tensors=("logits", "boxes"), roles=roles, activation="sigmoid")
    detection = Detection(boxes=BoxCoding(coding="distances", strides=(CELL,)))
    return ModelSpec(name="tiny", task=task, input=seen, outputs=outputs, detection=detection, labels=labels)


def examples_of(task, count=24):
    """Grey images with a square of one colour (its class) on one cell of the network's grid."""
    random = np.random.default_rng(5)
    made = []
    for number in range(count):
        label, row, column = number % 3, *random.integers(0, CELLS, 2)
        pixels = random.integers(110, 140, (SIDE, SIDE, 3), dtype=np.uint8)
        y, x = row * CELL, column * CELL
        pixels[y : y + CELL, x : x + CELL] = 20
        pixels[y : y + CELL, x : x + CELL, label] = 250
        box = np.array([[x, y, x + CELL, y + CELL]], np.float32)
        truth = Truth(label, box, np.array([label]))
        made.append(Example(f"n{number}", lambda pixels=pixels: pixels, truth))
    return made


def model_of(task, noise=0.0, ceiling=0):
    """ONNX bytes: the mean colour of the image, or of each cell, against grey; boxes that fill their cell."""
    random = np.random.default_rng(3)
    colours = np.eye(3) * 1.5 - 0.5
    gain = 0.08 if task == "detection" else 0.8
    weights = (gain * colours + noise * gain * random.normal(size=(3, 3))).astype(np.float32)
    tensors = {"w": weights.reshape(3, 3, 1, 1), "b": np.full(3, -7.0 if task == "detection" else 0.0, np.float32)}
    steps = [
        helper.make_node(
            "AveragePool", ["image"], ["cells"], kernel_shape=[CELL] * 2, strides=[CELL] * 2, ceil_mode=ceiling
        )
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, SHAPES[task]["logits"])]
    if task == "classification":
        steps += [
            helper.make_node("Conv", ["cells", "w", "b"], ["scores"]),
            helper.make_node("GlobalAveragePool", ["scores"], ["one"]),
            helper.make_node("Flatten", ["one"], ["logits"]),
        ]
    else:
        tensors |= {
            "v": (1e-3 + noise * 0.01 * random.normal(size=(4, 3, 1, 1))).astype(np.float32),
            "c": np.full(4, CELL / 2, np.float32),
            "shape": np.array([1, CELLS * CELLS, -1], np.int64),
        }
        for role, weight, bias in (("logits", "w", "b"), ("boxes", "v", "c")):
            steps += [
                helper.make_node("Conv", ["cells", weight, bias], [f"{role} map"]),
                helper.make_node("Transpose", [f"{role} map"], [f"{role} last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{role} last", "shape"], [role]),
            ]
        outputs.append(helper.make_tensor_value_info("boxes", TensorProto.FLOAT, SHAPES[task]["boxes"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    initializers = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(steps, "tiny", [image], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def artifact_of(spec, name, format, precision):
    return Artifact(
        name=name,
        file=f"artifacts/{name}",
        format=format,
        precision=precision,
        runtime={"onnx": "ONNX Runtime", "coreai": "Core AI"}[format],
        runtime_version="1.0",
        input_layout="float32_nchw",
        input=TensorInfo(name="image", role="image", shape=(1, 3, SIDE, SIDE), dtype="float32", layout="nchw"),
        outputs=tuple(TensorInfo(name=r, role=r, shape=SHAPES[spec.task][r], dtype="float32") for r in spec.roles),
        tools={"maker": "1.2.3"},
        bytes=0,
    )


def bundle_of(folder, spec, files, source="made up"):
    """`files`: (name, format, precision, bytes); the first one is the server model too."""
    examples = samesight.datasets.open_data(source, spec.task, 0).test
    with replacing_bundle(folder) as new:
        (new / "model.json").write_text(spec.to_json())
        (new / "artifacts").mkdir()
        for name, _, _, content in files:
            (new / "artifacts" / name).write_bytes(content)
        artifacts = tuple(artifact_of(spec, *file[:3]) for file in files)
        server = SimpleNamespace(spec=spec, outputs=onnxruntime.load(new / artifacts[0].file, artifacts[0]))
        write_cases(new, make_cases(server, [lambda e=e: e.pixels for e in examples]))
        served = answer_split(server, examples)
        (new / "server.json").write_text(served.to_json())
        data = DataSource(source=source, seed=0, metric_name=served.metric_name, metric=served.metric)
        seal(new, spec, artifacts, data, "0.1.0")
    return open_bundle(folder)


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Bundles whose data are `examples_of`; by default one artifact of each fate (Core AI's runtime is "missing")."""
    monkeypatch.setitem(RUNNERS, "coreai", replace(RUNNERS["coreai"], packages=("a-runtime-nobody-has",)))

    def make(task, labels=("red", "green", "blue"), only=None, source="made up"):
        spec = spec_of(task, labels)
        data = SimpleNamespace(labels=spec.labels, test=examples_of(task))
        monkeypatch.setattr("samesight.conversion.tasks.bootstrap.SAMPLES", 60)
        monkeypatch.setattr(samesight.datasets, "open_data", lambda *_: data)
        monkeypatch.setattr("samesight.conversion.workflow.golden_cases.open_data", lambda *_: data)
        monkeypatch.setattr("samesight.conversion.parity.test_split.open_data", lambda *_: data)
        files = [
            ("tiny.fp32.onnx", "onnx", "fp32", model_of(task)),
            ("tiny.int8.onnx", "onnx", "int8", model_of(task, 0.001)),
            ("tiny.bad.onnx", "onnx", "int8", model_of(task, 3.0)),
            ("tiny.torn.onnx", "onnx", "fp32", b"not a model"),
            ("tiny.fp16.aimodel", "coreai", "fp16", b"asset"),
        ]
        return bundle_of(tmp_path / task, spec, [f for f in files if only is None or f[0] in only], source)

    return make


def page_of(bundle, latencies=None):
    return render(bundle, run_artifacts(bundle), bundle.verdicts() or verify_bundle(bundle), latencies, MACHINE)


class Page(HTMLParser):
    """Elements with their attributes, text by element id, and what is not balanced."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.faults, self.words, self.rows = [], [], [], [], {}
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag, _ in self.open]
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes).get("id")))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()[0] != tag:
            self.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data):
        if any(tag == "style" for tag, _ in self.open):
            return
        self.words.append(data)
        for _, name in self.open:
            if name:
                self.rows[name] = self.rows.get(name, "") + data


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_the_page_stands_alone_and_is_well_formed(build, task):
    html = page_of(build(task))
    page = Page(html)
    assert page.faults == []
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a[key] for _, a in page.elements for key in ("href", "src", "srcset", "xlink:href", "action") if key in a]
    assert links and all(link.startswith("data:") or link[1:] in ids for link in links)
    assert not any(tag in ("script", "iframe", "object", "base", "form") for tag, _ in page.elements)
    assert not any(key.startswith("on") for _, a in page.elements for key in a)
    assert not re.search(r"https?:|@import|url\(", html)
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    for tag, attributes in page.elements:
        if attributes.get("role") == "img":
            assert attributes.get("aria-label"), tag
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_what_people_wrote_is_text(build, task):
    bundle = build(task, HOSTILE, only=("tiny.fp32.onnx", "tiny.int8.onnx"), source="folder:<b>&'\"")
    page = Page(page_of(bundle))
    assert page.faults == [] and not any(tag in ("script", "img", "b") and "x" in a for tag, a in page.elements)
    assert "script" not in [tag for tag, _ in page.elements] and "img" not in [tag for tag, _ in page.elements]
    for text in (*HOSTILE, "folder:<b>&'\""):
        assert text in page.text


def test_fates_are_told_with_their_reasons(build):
    bundle = build("classification")
    page = Page(page_of(bundle))
    fates = {"tiny.fp32.onnx": "Passed", "tiny.bad.onnx": "Failed", "tiny.torn.onnx": "Failed"}
    verdicts = verify_bundle(bundle)
    for number, verdict in enumerate(verdicts.artifacts):
        row = page.rows[f"artifact-{number}"]
        assert fates.get(verdict.name, row) in row
        if not verdict.passed:
            assert row.count("Passed") == 0 and page.text.count(verdict.reason) >= 2
    assert "Not run here" in page.rows["artifact-4"] and page.rows["h-verdict"] == "Failed"
    assert "2 of 4 artifacts that ran miss a gate" in page.text and "1 of 5 artifacts was not run here" in page.text
    assert "nothing on this page ran on a phone, a GPU or an NPU" in page.text


def test_a_bundle_that_passes_and_one_of_which_nothing_ran(build):
    passing = Page(page_of(build("classification", only=("tiny.fp32.onnx", "tiny.int8.onnx"))))
    assert passing.rows["h-verdict"] == "Passed" and "Failed" not in passing.text
    assert "For 2 of 2, too few test images stand for the metric to prove its gate." in passing.text
    assert "24 images leave room for a loss of 12.50 points in top1 (95 %), more than 0.2" in passing.text
    bundle = build("detection")
    seen = run_artifacts(bundle)
    seen.records.clear()
    unknown = [v.model_copy(update={"passed": None, "runner": None}) for v in verify_bundle(bundle).artifacts]
    verdicts = verify_bundle(bundle).model_copy(update={"passed": True, "artifacts": tuple(unknown)})
    none = Page(render(bundle, seen, verdicts, None, MACHINE))
    assert none.rows["h-verdict"] == "Not verified" and "Passed" not in none.text and none.faults == []


def test_known_faults_are_warnings_beside_the_verdict(build, tmp_path):
    """An idle ceiling changes nothing here, so the artifact passes; Core ML's execution provider does not take it."""
    plain = build("classification", only=("tiny.fp32.onnx",))
    files = [("tiny.fp32.onnx", "onnx", "fp32", model_of("classification", ceiling=1))]
    bundle = bundle_of(tmp_path / "warned", plain.spec, files)
    (verdict,) = verify_bundle(bundle).artifacts
    assert verdict.passed and [warning.id for warning in verdict.warnings] == ["onnx-coreml-ceiling"]
    assert bundle.verdicts().artifacts == (verdict,)
    assert verify_bundle(plain).artifacts[0].warnings == ()
    page = Page(page_of(bundle))
    assert page.faults == [] and page.rows["h-verdict"] == "Passed" and "onnx-coreml-ceiling" in page.text
    assert "1 known fault of phones' runtimes" in page.text and "GPU/NPU Core ML's execution provider" in page.text
    assert "known fault" not in Page(page_of(plain)).text and "https:" not in page_of(bundle)


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_a_plan_in_pieces_is_warned_of_with_the_reasons(build, task):
    """Compiled for an NPU that leaves operators to the CPU: nothing here runs that, the rest of the page stands."""
    bundle = build(task, only=("tiny.fp32.onnx",))
    left = LeftOperator(kind="ATAN2", count=3, reason="its compiler has no such operator")
    plan = Plan(pieces=4, operators=31, left=(left,))
    source = bundle.manifest.artifacts[0]
    update = {"name": "tiny.tflite", "file": "artifacts/tiny.tflite", "format": "litert", "precision": "fp16"}
    compiled = source.model_copy(update={**update, "unit": "npu", "soc": ("SM8650",), "plan": plan})
    (bundle.folder / compiled.file).write_bytes(b"compiled")
    seal(bundle.folder, bundle.spec, (source, compiled), bundle.manifest.data, "0.1.0")
    page = Page(page_of(open_bundle(bundle.folder)))
    assert page.faults == [] and "Not run here" in page.rows["artifact-1"]
    assert "SM8650: 28 of 31 operators in 4 pieces" in page.rows["artifact-1"]
    assert "the CPU keeps 3 ATAN2 (its compiler has no such operator)" in page.text
    assert "leaves 3 operators to the CPU, and nothing here runs both together" in page.text


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_the_table_has_the_verdicts_numbers(build, task):
    bundle = build(task)
    latencies = Latencies(
        cpu="A processor",
        threads=1,
        reference="tiny.fp32.onnx",
        artifacts=(
            Latency(name="tiny.fp32.onnx", median_ms=2.0, ratio=1.0),
            Latency(name="tiny.int8.onnx", median_ms=0.5, ratio=0.25),
            Latency(name="tiny.bad.onnx", median_ms=900.0, ratio=450.0),
        ),
    )
    html = page_of(bundle, latencies)
    page = Page(html)
    for number, verdict in enumerate(verify_bundle(bundle).artifacts):
        row = page.rows[f"artifact-{number}"]
        for role in verdict.roles:
            figure = "exact" if role.exact else f"{role.snr_db:.1f}".replace("-", "\N{MINUS SIGN}")
            assert re.search(rf"{role.role}\s*{figure}\s*≥", row)
        if verdict.metric:
            metric = verdict.metric
            assert percent(verdict.agreement) in row and percent(metric.artifact, 2) in row
            span = f"{signed(100 * metric.drop_low)} … {signed(100 * metric.drop_high)}"
            assert signed(100 * metric.drop) in row and span in row
        assert f"{verdict.bytes} B" in row or f"{verdict.bytes / 1e3:.0f} KB" in row
    assert f"0.25{TIMES}" in page.rows["artifact-1"] and "0.500 ms" in page.rows["artifact-1"]
    assert f"450.00{TIMES}" in page.rows["artifact-2"] and f"1.00{TIMES}" in page.rows["artifact-0"]
    widths = [float(w) for w in re.findall(r'class="(?:fill|track)" y="2" width="([^"]+)"', html)]
    assert widths and all(0 <= width <= 100 for width in widths)


def test_without_test_data_the_page_says_golden_cases_only(build):
    bundle = build("classification", only=("tiny.fp32.onnx", "tiny.int8.onnx"))
    with replacing_bundle(bundle.folder.with_name("plain")) as new:
        for name in ("artifacts", "golden"):
            shutil.copytree(bundle.folder / name, new / name)
        (new / "model.json").write_text(bundle.spec.to_json())
        seal(new, bundle.spec, bundle.manifest.artifacts, None, "0.1.0")
    page = Page(page_of(open_bundle(bundle.folder.with_name("plain"))))
    assert page.faults == [] and page.rows["h-verdict"] == "Passed"
    assert "golden cases only" in page.rows["artifact-0"] and "The test split" not in page.text


def test_too_many_classes_for_a_matrix_get_a_list_of_confusions(build, monkeypatch):
    monkeypatch.setattr("samesight.conversion.report.tasks.classification.MATRIX_CLASSES", 2)
    page = Page(page_of(build("classification", only=("tiny.fp32.onnx", "tiny.bad.onnx"))))
    assert page.faults == [] and "Most frequent confusions" in page.text
    assert not any(a.get("class", "").startswith("confusion") for _, a in page.elements)


def test_the_recipe_of_mixed_files_is_shown_by_layer(build):
    bundle = build("classification", only=("tiny.fp32.onnx",))
    assert "mixed files" not in page_of(bundle)
    layers = {"stem": "float", "blocks.0": "int8", HOSTILE[0]: "int8", "blocks.1": "int8", "head": "weights"}
    found = Found(
        images=120, metric_name="top1", server=0.97, drop=-0.001, agreement=0.9951, snr_db=24.25, weight_bytes=12345
    )
    recipe = Recipe(model="tiny", network="0" * 64, layers=layers, max_drop=0.5, found=found)
    (bundle.folder / RECIPE_FILE).write_text(recipe.to_json())
    page = Page(page_of(bundle))
    assert page.faults == [] and "script" not in [tag for tag, _ in page.elements]
    shown = [attributes for tag, attributes in page.elements if tag == "li" and "s-" in attributes.get("class", "")]
    assert [(one["title"], one["class"]) for one in shown] == [
        (f"{name}: {scheme}", f"s-{scheme}") for name, scheme in layers.items()
    ]
    assert "A search that may lose 0.5 points found it; its weights take 12,345 bytes. On 120 images:" in page.text
    assert f"{signed(-0.1)} points of top1 lost, answers agree on 99.5%, 24.2 dB at the noisiest output." in page.text
    section = " ".join(page.rows["recipe"].split())
    assert [section.count(text) for text in ("all others", "stem", "head", "blocks.0")] == [1, 1, 1, 0]
    each = {name: FoundLayer(scheme=scheme, weights=100, alone_db=20.5) for name, scheme in layers.items()}
    each["stem"] = FoundLayer(scheme="float", weights=1000)
    weighed = recipe.model_copy(update={"found": found.model_copy(update={"layers": each})})
    (bundle.folder / RECIPE_FILE).write_text(weighed.to_json())
    page = Page(page_of(bundle))
    assert page.faults == []
    shown = {a["title"]: a["style"] for tag, a in page.elements if tag == "li" and "s-" in a.get("class", "")}
    assert shown["stem: float, 4,000 bytes"] == "--w:120"
    assert shown["head: weights, 100 bytes, 20.5 dB when it alone is int8"] == "--w:6"
    assert "head (20.5 dB)" in page.rows["recipe"] and "4,000" in page.rows["recipe"]
    edited = make_recipe_picture(weighed.model_copy(update={"layers": {**layers, "stem": "int8"}}))
    assert edited is not None and "it was edited since" in edited.told
    assert edited.layers[0].title == "stem: int8, 1,000 bytes"
    picture = make_recipe_picture(recipe.model_copy(update={"layers": dict.fromkeys(layers, "int8"), "found": None}))
    assert picture is not None and len(picture.rows) == 1 and not picture.rows[0].rest
    assert picture.told == "It was given by hand; nothing was measured of it."


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_the_same_bundle_gives_the_same_bytes(build, task):
    bundle = build(task)
    assert page_of(bundle) == page_of(open_bundle(bundle.folder))


def test_boxes_are_drawn_on_the_upright_image(build):
    bundle = build("detection", only=("tiny.fp32.onnx",))
    html = page_of(bundle)
    turned = 0
    for case in bundle.golden_cases():
        figure = re.search(rf'<figure class="shot" id="golden-{case.id}">.*?</figure>', html, re.S)[0]
        height, width = case.picture.upright().shape[:2]
        assert f'viewBox="0 0 {width} {height}"' in figure
        stored = geometry(case.picture.width, case.picture.height, case.picture.orientation, bundle.spec.input)
        box = np.array(case.answers[0].box, np.float64).reshape(1, 4)
        x, y, w, h = map(float, re.search(r'<rect x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', figure).groups())
        back = stored.orientation.to_stored(np.array([[x, y, x + w, y + h]]), case.picture.width, case.picture.height)
        assert np.abs(back - box).max() < 0.05
        turned += case.picture.orientation.exif != 1
    assert turned > 3


def test_verdicts_are_taken_from_parity_json_and_written_where_there_are_none(build):
    bundle = build("classification", only=("tiny.fp32.onnx", "tiny.fp16.aimodel"))
    written = report_bundle(bundle, measure_latency=False)
    assert written.passed is True and written.not_run == ("tiny.fp16.aimodel",)
    verdicts = bundle.verdicts()
    elsewhere = verdicts.artifacts[1].model_copy(update={"passed": True, "runner": "an evaluator elsewhere"})
    bundle.write_verdicts(verdicts.model_copy(update={"artifacts": (verdicts.artifacts[0], elsewhere)}))
    assert report_bundle(bundle, measure_latency=False).not_run == ()
    assert "an evaluator elsewhere" in (bundle.folder / "report.html").read_text()
    open_bundle(bundle.folder)


def app_verdict(**update):
    wanted = {"name": "tiny.fp32.onnx", "unit": "gpu", "passed": True, "reason": "all", "images": 9, "agreement": 1.0}
    where = {"app": "an <app>", "device": "Maker Model", "system": "Android 16"}
    times = Times(load=30.0, first=5.0, steady=0.125)
    return AppVerdict(**{**wanted, **where, "proof": "requested", "times": times, "snr_db": 43.21, **update})


def test_what_apps_gave_stands_in_a_table_of_its_own(build):
    bundle = build("classification", only=("tiny.fp32.onnx",))
    verdicts = verify_bundle(bundle)
    assert "apps" not in Page(page_of(bundle)).rows and "own code" not in Page(page_of(bundle)).text
    refused = app_verdict(unit="npu", passed=None, reason="not used: no NPU", proof=None, times=None, snr_db=None)
    bundle.write_verdicts(merge_apps(verdicts, [app_verdict(slower=True), refused]))
    page = Page(page_of(bundle))
    assert page.faults == [] and page.rows["h-verdict"] == "Passed"
    for told in (
        "In the apps\N{RIGHT SINGLE QUOTATION MARK} own code",
        "Maker Model, Android 16",
        "requested, not proven",
        "0.125 ms",
        "43.2",
    ):
        assert told in page.text
    assert "slower than the CPU" in page.text and "not used: no NPU" in page.text
    assert "table says of Maker Model, nothing on this page ran on a phone" in page.text
    bundle.write_verdicts(merge_apps(verdicts, [app_verdict(passed=False, reason="another input tensor")]))
    page = Page(page_of(bundle))
    assert page.rows["h-verdict"] == "Failed" and "In an app's own code, 1 run of 1 failed" in page.text
    assert "on the GPU of Maker Model, Android 16, an <app>: another input tensor" in page.text


def test_the_command(build, tmp_path):
    bundle = build("detection")
    run = CliRunner().invoke(report, [str(bundle.folder), "--json"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    page = bundle.folder / "report.html"
    assert said["report"] == str(page) and said["bytes"] == page.stat().st_size < 3_000_000
    assert said["passed"] is False and said["failed"] == ["tiny.bad.onnx", "tiny.torn.onnx"]
    assert "Try: convert it again with --no-cache" in page.read_text()
    assert said["not_run"] == ["tiny.fp16.aimodel"] and "Latency ratio" in page.read_text()
    out = tmp_path / "elsewhere.html"
    run = CliRunner().invoke(report, [str(bundle.folder), "--out", str(out), "--no-bench"])
    assert run.exit_code == 0 and "failed" in run.output and "Latency ratio" not in out.read_text()


def test_bad_requests_get_one_sentence(build, tmp_path):
    folder = str(build("classification", only=("tiny.fp32.onnx",)).folder)
    foreign = Latencies(cpu="", threads=1, reference="x", artifacts=(Latency(name="x", median_ms=1.0, ratio=1.0),))
    (tmp_path / "bench.json").write_text(foreign.to_json())
    for arguments, words in (
        ([folder, "--bench", str(tmp_path / "bench.json")], "no artifact 'x'"),
        ([folder, "--bench", str(tmp_path / "bench.json"), "--no-bench"], "contradict"),
        ([folder, "--bench", str(tmp_path / "absent.json")], "absent.json"),
        ([folder, "--no-bench", "--out", str(tmp_path / "no" / "page.html")], "cannot be written"),
        ([str(tmp_path)], "not a bundle"),
    ):
        run = CliRunner().invoke(report, arguments)
        assert isinstance(run.exception, SamesightError) and words in str(run.exception)
