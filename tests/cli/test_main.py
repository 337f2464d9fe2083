"""The verbs as people type them, on the demo's bundles; wrong input gets one sentence and the right exit code."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

import samesight
from samesight.cli.main import VERBS
from samesight.contract.bundle import open_bundle


@pytest.fixture(scope="module")
def scene(demo, tmp_path_factory):
    """One golden image of the detector, as a file."""
    path = tmp_path_factory.mktemp("image") / "scene.png"
    shutil.copy(demo / "scenes/golden/000.png", path)
    return path


def test_help_answers_at_once_and_lists_every_verb(samesight):
    started = time.perf_counter()
    done = samesight("--help")
    assert done.returncode == 0 and time.perf_counter() - started < 5
    for verb in VERBS:
        assert f"  {verb} " in done.stdout


SHELLS = {"bash": "complete -o nosort", "zsh": "#compdef samesight", "fish": "complete --no-files"}


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_for_shells(shell):
    done = complete(_SAMESIGHT_COMPLETE=f"{shell}_source")
    assert SHELLS[shell] in done and "_SAMESIGHT_COMPLETE=" in done


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("samesight ve", "plain,verify"),
        ("samesight verify demo --ser", "plain,--server"),
        ("samesight convert runs/digits --prec", "plain,--precision"),
    ],
)
def test_completion_answers_without_importing_anything_heavy(typed, offered):
    words = typed.split()
    told = complete(_SAMESIGHT_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1))
    assert told.splitlines() == [offered]


def complete(**variables):
    """What the command prints for a shell that asks for completions."""
    code = (
        "import sys; from samesight.cli.main import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'PIL', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from samesight.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'PIL', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_examples_without_importing_torch(verb):
    code = (
        "import sys; from samesight.cli.main import main\n"
        f"try: main(['{verb}', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "Examples:" in done.stdout


@pytest.mark.parametrize("artifact", ["scenes.fp32.onnx", "scenes.int8.tflite", "scenes.int8.pte", "scenes.fp32.pt2"])
def test_predict_finds_what_the_server_found(demo, samesight, scene, artifact):
    done = samesight("predict", demo / "scenes", scene, "--artifact", artifact, "--json")
    (result,) = json.loads(done.stdout)
    case = open_bundle(demo / "scenes").golden_cases()[0]
    assert result["image"] == str(scene)
    assert [a["label"] for a in result["answers"]] == [a.label for a in case.answers]
    for given, served in zip(result["answers"], case.answers, strict=True):
        np.testing.assert_allclose(given["box"], served.box, atol=4)
        assert given["score"] == pytest.approx(served.score, abs=0.1)


def test_predict_with_a_run_is_the_server_model(demo, samesight, scene):
    done = samesight("predict", demo / "runs/scenes", scene, "--json")
    (result,) = json.loads(done.stdout)
    case = open_bundle(demo / "scenes").golden_cases()[0]
    assert [(a["label"], a["score"], tuple(a["box"])) for a in result["answers"]] == [
        (a.label, pytest.approx(a.score, abs=1e-5), pytest.approx(a.box, abs=1e-3)) for a in case.answers
    ]


def test_predict_draws(demo, samesight, scene, tmp_path):
    done = samesight("predict", demo / "scenes", scene, "--draw", tmp_path / "drawn.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert max(drawn.size) >= 480
    digit = demo / "digits/golden/000.png"
    assert samesight("predict", demo / "digits", digit, digit, "--draw", tmp_path / "d.png").returncode == 0
    assert (tmp_path / "d-1.png").exists() and (tmp_path / "d-2.png").exists()


def test_predict_answers_a_folder_and_names_what_is_damaged(demo, samesight, tmp_path):
    names = ("000.png", "below/001.png", "002.png")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(demo / "digits/golden" / name.split("/")[-1], tmp_path / name)
    (tmp_path / "002.png").write_bytes((tmp_path / "002.png").read_bytes()[:150])
    (tmp_path / "notes.txt").write_text("no image")
    told = samesight("predict", demo / "digits", tmp_path, "--json")
    rows = {row["image"]: row for row in json.loads(told.stdout)}
    assert told.returncode == 1 and set(rows) == {str(tmp_path / name) for name in names}
    golden = {case.id: case.answers for case in open_bundle(demo / "digits").golden_cases()}
    for name in names[:2]:
        found = rows[str(tmp_path / name)]["answers"]
        assert [a["label"] for a in found] == [a.label for a in golden[name[-7:-4]]]
    damaged = rows[str(tmp_path / "002.png")]
    assert damaged["answers"] is None and "damaged or cut off" in damaged["error"]
    assert told.stderr == f"samesight: {damaged['error']}\n"
    shown = samesight(
        "predict", demo / "digits", tmp_path / "below", tmp_path / "000.png", "--draw", tmp_path / "d.png"
    )
    assert shown.returncode == 0 and shown.stderr == ""
    first, second = shown.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'below/001.png'}  {golden['001'][0].label} ") and "000.png" in second
    assert (tmp_path / "d-1.png").exists() and (tmp_path / "d-2.png").exists()
    again = samesight("predict", demo / "digits", tmp_path, "--draw", tmp_path / "d.png")
    assert again.returncode == 2 and "d-1.png is one of the images" in again.stderr


def test_python_calls_an_artifact_like_the_server_model(demo):
    bundle = samesight.open_bundle(demo / "digits")
    case = bundle.golden_cases()[0]
    answers = bundle.artifact("digits.int8.tflite")(case.picture)
    assert type(answers[0]) is type(case.answers[0])
    assert answers[0].label == case.answers[0].label


def test_without_a_verb_and_with_help_the_examples_stand_line_by_line(samesight):
    asked, bare = samesight("--help"), samesight()
    assert (asked.returncode, bare.returncode) == (0, 2) and asked.stdout.strip() == bare.stderr.strip()
    assert "\n  samesight demo " in asked.stdout and "\\b" not in asked.stdout


def test_inspect_tells_of_runs_and_bundles(demo, samesight):
    assert "top1" in samesight("inspect", demo / "runs/digits").stdout
    shown = samesight("inspect", demo / "digits").stdout
    assert "digits.int8.tflite" in shown and "int8_nhwc" in shown and "delegated" in shown
    assert json.loads(samesight("inspect", demo / "scenes", "--json").stdout)["spec"]["task"] == "detection"


def test_bench_gives_ratios_to_onnx(demo, samesight):
    names = [word for name in ("digits.fp32.onnx", "digits.int8.tflite") for word in ("--artifact", name)]
    told = json.loads(samesight("bench", demo / "digits", *names, "--json").stdout)
    ratios = {row["name"]: row["ratio"] for row in told["artifacts"]}
    assert told["reference"] == "digits.fp32.onnx" and ratios["digits.fp32.onnx"] == 1.0
    assert 0 < ratios["digits.int8.tflite"] < 20


def test_pack_makes_a_file_that_unpacks_to_a_bundle(demo, samesight, tmp_path):
    done = samesight("pack", demo / "digits", "--for", "android", "--out", tmp_path / "d.zip", "--json")
    assert json.loads(done.stdout)["artifacts"] and zipfile.is_zipfile(tmp_path / "d.zip")
    assert samesight("pack", "--unpack", tmp_path / "d.zip", "--out", tmp_path / "d").returncode == 0
    assert samesight("inspect", tmp_path / "d").returncode == 0


def test_a_failed_artifact_is_not_packed_without_force(demo, copy_of, samesight, tmp_path):
    folder = copy_of(demo / "digits")
    verdicts = json.loads((folder / "parity.json").read_text())
    next(v for v in verdicts["artifacts"] if v["name"] == "digits.int8.tflite")["passed"] = False
    (folder / "parity.json").write_text(json.dumps(verdicts))
    done = samesight("pack", folder, "--for", "android", "--out", tmp_path / "d.zip")
    assert done.returncode == 1 and "failed: digits.int8.tflite (" in done.stderr
    assert not (tmp_path / "d.zip").exists()
    assert samesight("pack", folder, "--for", "android", "--out", tmp_path / "d.zip", "--force").returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verify", "{digits}", "--artifact", "digits.fp32.onnx"), 0),
        (("convert", "{run}", "--out", "{new}", "--to", "onnx", "--precision", "fp32", "--no-verify"), 0),
        (("predict", "{digits}", "{digits}/golden/000.png"), 0),
        (("predict", "{digits}", "{digits}/golden/none.png"), 1),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else None,
)
def test_stats_come_whatever_the_verb_and_its_exit_code(demo, samesight, tmp_path, words, code):
    places = {"digits": demo / "digits", "run": demo / "runs/digits", "new": tmp_path / "new"}
    done = samesight("--stats", *[word.format(**places) for word in words])
    assert done.returncode == code, done.stderr
    assert re.search(r"^[\d.]+ s, peak memory [\d.]+ GiB here", done.stderr.splitlines()[-1])


def test_the_exit_code_of_a_verb_that_failed_is_kept(demo, copy_of, samesight):
    bundle = copy_of(demo / "digits")
    (bundle / "my_server.py").write_text("def answer(path):\n    return []\n")
    done = samesight("--stats", "verify", demo / "digits", "--server", "my_server:answer", cwd=bundle)
    assert done.returncode == 1 and "different" in done.stdout and "peak memory" in done.stderr


WRONG = {
    ("frobnicate",): (2, "no verb 'frobnicate'"),
    ("predit", "x"): (2, "did you mean 'predict'?"),
    ("verify",): (2, "Missing argument"),
    ("verify", "{tmp}/none"): (1, "no such bundle"),
    ("verify", "{tmp}"): (1, "not a bundle"),
    ("verify", "{run}"): (1, "is a run; `samesight convert"),
    ("convert", "{digits}", "--out", "{tmp}/new"): (1, "is a bundle, made already"),
    ("verify", "{digits}", "--artifact", "x"): (1, "no artifact 'x'; it has"),
    ("verify", "{digits}", "--data", "nodata"): (2, "nodata"),
    ("verify", "{digits}", "--server", "nomodule:answer"): (1, "nomodule"),
    ("verify", "{digits}", "--server", "x:y", "--data", "digits"): (2, "leave out"),
    ("predict", "{digits}", "{tmp}/none.png"): (1, "no such file"),
    ("predict", "{digits}", "{tmp}/damaged"): (1, "damaged: holds no image"),
    ("predict", "{digits}", "{tmp}/empty.png"): (1, "empty.png"),
    ("predict", "{digits}", "{tmp}/text.png"): (1, "not an image"),
    ("predict", "{digits}", "{tmp}/cut.png"): (1, "damaged or cut off"),
    ("predict", "{digits}", "{tmp}/bomb.png"): (1, "scale it down first"),
    ("predict", "{digits}", "{good}", "--draw", "{tmp}/x.nothing"): (1, "unknown kind of image"),
    ("predict", "{digits}", "{good}", "--draw", "{tmp}/no/x.png"): (1, "cannot be written"),
    ("predict", "{digits}", "{tmp}/text.png", "--draw", "{tmp}/text.png"): (2, "is one of the images"),
    ("bench", "{digits}", "--artifact", "digits.fp16.mlpackage"): (2, "is emulated here"),
    ("verify", "{digits}", "--server", ""): (2, "--server: is empty"),
    ("verify", "{digits}", "--device-results", "{tmp}/text.png"): (1, "not a JSON document"),
    ("convert", "{run}", "--out", "{tmp}/b", "--to", ""): (2, "is empty"),
    ("convert", "{run}", "--out", "{tmp}/b", "--to", "vhs"): (2, "unknown format 'vhs'"),
    ("convert", "{run}", "--out", "{tmp}/b", "--precision", "int3"): (2, "int3"),
    ("convert", "{tmp}/none", "--out", "{tmp}/b"): (1, "no such source"),
    ("convert", "{run}", "--out", "{tmp}"): (1, "is not a bundle, so it is left alone"),
    ("pack", "{digits}", "--for", "symbian"): (2, "no platform 'symbian'"),
    ("pack", "{tmp}/text.png", "--unpack", "--out", "{tmp}/u"): (1, "not a packed bundle"),
    ("train", "nodata"): (2, "nodata"),
    ("train",): (2, "name the DATA"),
    ("train", "digits", "--out", "{run}"): (2, "exists"),
    ("demo", "--out", "{tmp}/text.png"): (1, "cannot be written"),
    ("report", "{tmp}"): (1, "not a bundle"),
    ("bench", "{tmp}"): (1, "not a bundle"),
    ("inspect", "{tmp}"): (1, "not a bundle"),
    ("inspect", "{tmp}/damaged"): (1, "run.json: damaged"),
    ("predict", "{tmp}/damaged", "{good}"): (1, "network.pt2: damaged or not an exported program"),
    ("inspect", "{tmp}/text.png"): (1, "`samesight pack --unpack` opens it"),
}


@pytest.fixture(scope="module")
def places(demo, tmp_path_factory):
    tmp = tmp_path_factory.mktemp("wrong")
    good = demo / "digits/golden/000.png"
    (tmp / "empty.png").write_bytes(b"")
    (tmp / "text.png").write_text("I am no picture.")
    (tmp / "cut.png").write_bytes(good.read_bytes()[:150])
    (tmp / "damaged").mkdir()
    shutil.copy(demo / "runs/digits/model.json", tmp / "damaged")
    (tmp / "damaged/run.json").write_bytes((demo / "runs/digits/run.json").read_bytes()[:40])
    (tmp / "damaged/network.pt2").write_bytes((demo / "runs/digits/network.pt2").read_bytes()[:1000])
    bomb = Image.new("1", (20_000, 20_000))
    bomb.save(tmp / "bomb.png")
    return {"tmp": tmp, "digits": demo / "digits", "run": demo / "runs/digits", "good": good}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_input_gets_one_sentence(samesight, places, words):
    code, sentence = WRONG[words]
    before = sorted(path.name for path in places["tmp"].iterdir())
    done = samesight(*[word.format(**places) for word in words])
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("samesight: "), done.stderr
    assert sorted(path.name for path in places["tmp"].iterdir()) == before
