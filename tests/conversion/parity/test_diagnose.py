"""`samesight diagnose`: faults in an app that shares no code with the contract are named; right apps raise no alarm."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from samesight.contract.bundle import open_bundle
from samesight.contract.device_results import CaseRun, DeviceParity, UnitRun
from samesight.contract.golden import StoredAnswer
from samesight.conversion.apps.device_results import judge_device
from samesight.conversion.parity.faults import VALUE_FAULTS
from samesight.conversion.parity.image_faults import IMAGE_FAULTS
from samesight.conversion.parity.sabotage import CLEAN, clean_trials, confusion, onnx_network, sabotage_trials
from samesight.conversion.parity.sabotaged_app import App
from samesight.conversion.parity.sabotages import SABOTAGES, bicubic
from samesight.conversion.tasks.detection_faults import CODINGS
from support.faulty import reseal

ROOT = Path(__file__).parents[3]
# Pairs of faults are tried for it, which takes seconds; the command that prints docs/diagnosis.md has it.
SLOW = "stale model"
SHOWN = {
    "digits": [kind.kind for kind in SABOTAGES if kind.kind != SLOW],
    "scenes": [
        *(kind.kind for kind in SABOTAGES if kind.boxes),
        "BGR for RGB",
        "stretched",
        "EXIF ignored",
        "limited range as full",
        "normalised before the artifact",
    ],
}


@pytest.mark.parametrize("name", SHOWN)
def test_faults_of_somebodys_app_are_caught_and_named(demo, name):
    trials = list(sabotage_trials(demo / name, 1, kinds=SHOWN[name]))
    table = "\n".join(confusion(trials))
    assert all(not trial.judged.passed for trial in trials), table
    assert sum(trial.named for trial in trials) >= 0.95 * len(trials) and len(trials) > 10, table


@pytest.mark.parametrize(("name", "rows"), [("digits", CLEAN[1::2]), ("scenes", CLEAN[3:4])])
def test_right_apps_raise_no_alarm(demo, name, rows):
    trials = list(clean_trials(demo / name, 10, rows=rows))
    assert len(trials) == 10 and all(trial.judged.passed for trial in trials)
    assert any(trial.judged.distance > 0 for trial in trials)


@pytest.fixture(scope="module")
def app(demo):
    """An app's answers to the golden images of a demo bundle, with the changes of a fault."""

    def answered(name, **changes):
        bundle = open_bundle(demo / name)
        run = App(onnx_network(bundle), bundle.spec.model_dump(mode="json"), **changes)
        return {path.name: run(path) for path in sorted((demo / name / "golden").glob("*.png"))}

    return answered


def bgr(pixels):
    return pixels[:, :, ::-1].transpose(2, 0, 1)


@pytest.fixture
def diagnosed(demo, tmp_path, samesight_here):
    """Run the command on an answers file with this content."""

    def run(content, name="digits", *options):
        file = tmp_path / "answers.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return samesight_here("diagnose", demo / name, f"{name}.fp32.onnx", "--answers", file, *options)

    return run


def test_the_command_names_a_fault(app, diagnosed):
    done = diagnosed(app("digits", layout=bgr))
    assert done.returncode == 1 and "likely cause: the channels are in reverse order (BGR for RGB)" in done.stdout
    plain = json.loads(diagnosed(app("digits", layout=bgr), "digits", "--json").stdout)
    first = plain["causes"][0]
    assert "BGR" in first["name"] and first["confidence"] > 0.9 and first["explains"] > 0.9 and not plain["passed"]


def test_right_answers_pass_in_every_form(app, demo, diagnosed, tmp_path):
    right = app("digits")
    done = diagnosed(right)
    assert done.returncode == 0 and "nothing is wrong" in done.stdout
    # As `samesight predict --json` prints them; and images elsewhere, named without their suffix.
    photos = tmp_path / "photos"
    shutil.copytree(demo / "digits/golden", photos / "deep", ignore=shutil.ignore_patterns("*.json"))
    predicted = [{"image": f"somewhere/{name}", "answers": rows} for name, rows in right.items()]
    assert diagnosed(predicted, "digits", "--images", photos).returncode == 0
    assert diagnosed({name[:-4]: rows for name, rows in right.items()}, "digits", "--images", photos).returncode == 0
    # The scores of all classes, in the order of the labels; or by label.
    model = {**open_bundle(demo / "digits").spec.model_dump(mode="json"), "top_k": 10}
    every = App(onnx_network(open_bundle(demo / "digits")), model)
    by_label = {name: {row["label"]: row["score"] for row in every(demo / "digits/golden" / name)} for name in right}
    assert diagnosed(by_label).returncode == 0
    scores = {name: [given[label] for label in model["labels"]] for name, given in by_label.items()}
    assert diagnosed(scores).returncode == 0
    assert "labels are one too" in diagnosed({name: s[1:] + s[:1] for name, s in scores.items()}).stdout
    boxes = app("scenes")
    columns = {
        name: {
            key: [row[column] for row in rows]
            for key, column in (("boxes", "box"), ("scores", "score"), ("labels", "label"))
        }
        for name, rows in boxes.items()
    }
    assert diagnosed(columns, "scenes").returncode == 0


ONE = {"label": "1", "score": 0.5}
BAD = {
    "{": "not a JSON document",
    "3": "is int, not answers by image",
    "{}": "holds no answers",
    '[{"answers": []}]': 'its entries have no "image"',
    json.dumps({"photo.jpg": [ONE]}): "answers the image 'photo.jpg', which is not in",
    json.dumps({"000.png": [ONE], "000": [ONE]}): "answers image '000' twice",
    json.dumps(
        {"000.png": [{"label": "cat", "score": 0.5}]}
    ): "image '000.png': label 'cat' is not one of the bundle's (0, 1,",
    json.dumps({"000.png": [0.5, 0.5]}): "image '000.png': has 2 scores, but the bundle has 10 labels",
    json.dumps({"000.png": [{**ONE, "box": [0, 0, 1, 1]}]}): "image '000.png': has boxes, but",
    json.dumps({"000.png": [{"label": "1"}]}): "image '000.png': \"[{'label': '1'}]\" is no list of",
    '{"000.png": [{"label": "1", "score": NaN}]}': "with finite numbers",
    json.dumps({"000.png": 5}): "is no list of",
}


@pytest.mark.parametrize("content", BAD)
def test_answers_that_do_not_fit_get_one_sentence(diagnosed, content):
    done = diagnosed(content)
    assert done.returncode == 1 and not done.stdout and BAD[content] in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and "answers.json" in done.stderr


def test_folders_and_artifacts_that_are_not_there_are_named(app, demo, diagnosed, tmp_path, samesight_here):
    assert "no such folder" in diagnosed(app("digits"), "digits", "--images", tmp_path / "none").stderr
    (tmp_path / "empty").mkdir()
    assert "has no images" in diagnosed(app("digits"), "digits", "--images", tmp_path / "empty").stderr
    missing = samesight_here("diagnose", demo / "digits", "other.tflite", "--answers", tmp_path / "none.json")
    assert missing.returncode == 1 and "other.tflite" in missing.stderr
    absent = samesight_here("diagnose", demo / "digits", "digits.fp32.onnx", "--answers", tmp_path / "none.json")
    assert absent.returncode == 1 and "none.json" in absent.stderr


def test_the_answers_of_an_earlier_bundle_are_recognised(demo, diagnosed, copy_of):
    bundle, earlier = open_bundle(demo / "digits"), copy_of(demo / "digits")
    one_weight_changed(earlier / "artifacts/digits.fp32.onnx")
    reseal(earlier)
    run = App(onnx_network(open_bundle(earlier)), bundle.spec.model_dump(mode="json"))
    given = {path.name: run(path) for path in sorted((demo / "digits/golden").glob("*.png"))}
    told = json.loads(diagnosed(given, "digits", "--json", "--earlier", earlier).stdout)
    assert told["causes"][0]["name"] == f"the answers are those of {earlier}" and told["causes"][0]["explains"] > 0.9
    refused = diagnosed(given, "digits", "--earlier", demo / "scenes")
    assert refused.returncode == 1 and "has other labels" in refused.stderr


def one_weight_changed(file):
    model = onnx.load(file)
    weights = next(w for w in model.graph.initializer if len(w.dims) == 4 and w.dims[0] > 3)
    values = numpy_helper.to_array(weights).copy()
    values[0] *= 3
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save(model, file)


def run_of(bundle, rows, name, tensor_of=lambda case: case.tensor):
    """A phone's run whose answers are `rows` by image."""

    def stored(row):
        label = row["label"]
        return StoredAnswer(label=label, index=bundle.spec.labels.index(label), score=row["score"], box=row.get("box"))

    cases = tuple(
        CaseRun(
            id=case.id,
            image="rgb",
            tensor_sha256=hashlib.sha256(tensor_of(case).tobytes()).hexdigest(),
            answers=tuple(map(stored, rows[f"{case.id}.png"])),
        )
        for case in bundle.golden_cases()
    )
    return UnitRun(
        artifact=name,
        unit="cpu",
        proof="certain",
        refusal=None,
        delegates=(),
        times=None,
        slower=False,
        snr_db=dict.fromkeys(bundle.spec.roles, 90.0),
        cases=cases,
    )


def parity_of(bundle, *runs):
    return DeviceParity(
        manifest_sha256=bundle.manifest_sha256(), app="app", device="phone", system="1", runtimes={}, runs=runs
    )


def test_a_phones_failed_results_say_the_likely_cause(app, demo, tmp_path, samesight_here):
    bundle = open_bundle(demo / "digits")
    rows = app("digits", layout=bgr)
    run = run_of(bundle, rows, "digits.fp32.onnx", lambda case: case.tensor[:, :, ::-1])
    (verdict,) = judge_device(bundle, parity_of(bundle, run))
    assert not verdict.passed and "likely cause" in verdict.reason and "BGR" in verdict.reason
    file = tmp_path / "device-parity.json"
    file.write_text(parity_of(bundle, run).to_json())
    told = samesight_here("diagnose", bundle.folder, "digits.fp32.onnx", "--answers", file)
    assert told.returncode == 1 and "BGR" in told.stdout
    other = samesight_here("diagnose", bundle.folder, "digits.int8.tflite", "--answers", file)
    assert other.returncode == 1 and "no results of digits.int8.tflite" in other.stderr
    images = samesight_here("diagnose", bundle.folder, "digits.fp32.onnx", "--answers", file, "--images", tmp_path)
    assert images.returncode == 2 and "leave --images out" in images.stderr


def test_image_code_is_not_blamed_where_the_tensors_are_right(app, demo):
    bundle = open_bundle(demo / "digits")
    run = run_of(bundle, app("digits", layout=bgr), "digits.fp32.onnx")
    (verdict,) = judge_device(bundle, parity_of(bundle, run))
    assert not verdict.passed or "BGR" not in verdict.reason


def test_a_small_difference_that_one_fault_explains_is_told_where_noise_would_be_allowed(app, diagnosed):
    """On a GPU the noise of halves hides what another filter changes, unless it is just what that filter changes."""
    told = json.loads(diagnosed(app("digits", resize=bicubic), "digits", "--unit", "gpu", "--json").stdout)
    assert told["distance"] < told["allowed"] and not told["passed"]
    assert "other filter" in told["causes"][0]["name"] and told["causes"][0]["explains"] > 0.9


def test_the_document_has_every_fault_and_every_sabotage():
    text = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    assert not [name for name in (*IMAGE_FAULTS, *VALUE_FAULTS, *CODINGS) if name not in text]
    assert not [sabotage.kind for sabotage in SABOTAGES if f"| {sabotage.kind} |" not in text]
    caught, right = re.search(r"\*\*\d+ faults\*\* \| \d+ \| \d+ \((.*)%\) \| \d+ \((.*)%\)", text).groups()
    assert float(caught) == 100 and float(right) >= 90
    assert ", 0 alarms." in text
