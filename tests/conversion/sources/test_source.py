import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from PIL import Image

from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.sources.calibration import MOST_IMAGES
from samesight.conversion.sources.source import (
    TestData,
    data_fingerprint,
    images_sha256,
    open_source,
    program_sha256,
)

TestData.__test__ = False


def write_program(path, folder="network", weights=b"1234"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}/data/weights", weights)
        archive.writestr(f"{folder}/model.json", "{}")
    return path


def write_images(folder, count):
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def run(tmp_path, digits_spec):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.json").write_text(digits_spec.to_json())
    write_program(folder / "network.pt2")
    (folder / "run.json").write_text(json.dumps({"data": {"source": "digits", "seed": 3}}))
    write_images(folder / "calibration", 5)
    return folder


@pytest.fixture
def spec_file(tmp_path, digits_spec):
    path = tmp_path / "spec.json"
    path.write_text(digits_spec.to_json())
    return path


def test_a_run_says_all_itself(run, digits_spec):
    source = open_source(str(run))
    assert source.spec == digits_spec
    assert source.network == run / "network.pt2"
    assert source.function is None
    assert source.data == TestData("digits", 3)
    assert [path.name for path in source.calibration] == [f"{n:03d}.png" for n in range(5)]
    assert source.ranges is None
    (run / "quantization.json").write_text("{}")
    assert open_source(str(run)).ranges == run / "quantization.json"


def test_a_program_and_a_function_come_with_spec_and_images(tmp_path, spec_file, digits_spec):
    images = write_images(tmp_path / "images", 3)
    network = write_program(tmp_path / "mine.pt2")
    program = open_source(str(network), spec_file, images)
    assert (program.network, program.function, program.data) == (network, None, None)
    function = open_source("my.models:make", spec_file, images)
    assert (function.network, function.function) == (None, "my.models:make")
    assert function.spec == program.spec == digits_spec


def test_many_images_are_thinned_evenly(tmp_path, spec_file):
    images = write_images(tmp_path / "images", 2 * MOST_IMAGES + 50)
    chosen = open_source("m:f", spec_file, images).calibration
    assert len(chosen) == MOST_IMAGES
    assert chosen[0].name == "000.png"
    assert chosen[-1].name == "247.png"


@pytest.mark.parametrize("missing", ["model.json", "network.pt2", "run.json", "calibration"])
def test_an_unfinished_run_is_refused(run, missing):
    path = run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(SamesightError, match=f"not a finished run \\(it has no {missing}\\)"):
        open_source(str(run))


@pytest.mark.parametrize("text", ["", "[]", '{"data": 1}', '{"data": {"source": "digits"}}'])
def test_a_run_whose_record_is_damaged_is_refused(run, text):
    (run / "run.json").write_text(text)
    with pytest.raises(SamesightError, match=r"run\.json: does not say which data and seed"):
        open_source(str(run))


def test_options_that_do_not_belong_are_refused(tmp_path, run, spec_file):
    with pytest.raises(UsageError, match="is a run, which holds its own spec"):
        open_source(str(run), spec_file)
    with pytest.raises(UsageError, match="--spec FILE and --calibration FOLDER as well; `samesight spec m:f` proposes"):
        open_source("m:f")
    with pytest.raises(UsageError, match="needs --calibration FOLDER as well"):
        open_source("m:f", spec_file)
    file = tmp_path / "m.onnx"
    file.touch()
    with pytest.raises(UsageError, match=r"--calibration FOLDER as well; `samesight spec .*` proposes a spec"):
        open_source(str(file))
    with pytest.raises(UsageError, match=r"m\.onnx is an ONNX file with its weights; leave out --weights"):
        open_source(str(file), spec_file, tmp_path, random_weights=True)


@pytest.mark.parametrize("text", ["nowhere", "m:f:g", "1m:f", "m:", "a b:c"])
def test_what_names_nothing_is_refused(text):
    with pytest.raises(
        SamesightError, match=r"no such source; give a run folder, a \.pt2 file, an \.onnx file, .* or module:function$"
    ):
        open_source(text)


def test_missing_files_and_empty_folders_are_named(tmp_path, spec_file):
    with pytest.raises(SamesightError, match=r"mine\.pt2: no such file"):
        open_source(str(tmp_path / "mine.pt2"), spec_file, tmp_path)
    with pytest.raises(SamesightError, match=r"mine\.onnx: no such file; `torch\.onnx\.export` writes one"):
        open_source(str(tmp_path / "mine.onnx"), spec_file, tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(SamesightError, match="none: holds no image"):
        open_source("m:f", spec_file, tmp_path / "none")
    with pytest.raises(SamesightError, match="nowhere: no such folder"):
        open_source("m:f", spec_file, tmp_path / "nowhere")
    with pytest.raises(SamesightError, match=r"nospec\.json: "):
        open_source("m:f", tmp_path / "nospec.json", tmp_path)


def test_a_program_is_known_by_content_not_by_name(tmp_path):
    one = write_program(tmp_path / "one.pt2", "one")
    other = write_program(tmp_path / "other.pt2", "other")
    changed = write_program(tmp_path / "changed.pt2", "one", b"1235")
    assert program_sha256(one) == program_sha256(other) != program_sha256(changed)


def test_a_damaged_program_is_one_sentence(tmp_path):
    whole = write_program(tmp_path / "whole.pt2", weights=bytes(5000))
    cut = tmp_path / "cut.pt2"
    cut.write_bytes(whole.read_bytes()[:3000])
    changed = tmp_path / "changed.pt2"
    changed.write_bytes(whole.read_bytes().replace(bytes(200), b"\1" * 200, 1))
    for path in (cut, changed):
        with pytest.raises(SamesightError, match=r"damaged or not an exported program .*; export it again"):
            program_sha256(path)
    with pytest.raises(SamesightError, match=r"none\.pt2: cannot be read"):
        program_sha256(tmp_path / "none.pt2")


def test_images_and_test_data_are_known_by_content(tmp_path):
    images = sorted(write_images(tmp_path / "images", 3).iterdir())
    before = images_sha256(images), data_fingerprint(TestData(f"folder:{tmp_path}/images", 0))
    assert before == (images_sha256(images), data_fingerprint(TestData(f"folder:{tmp_path}/images", 0)))
    images[0].write_bytes(images[1].read_bytes())
    after = images_sha256(images), data_fingerprint(TestData(f"folder:{tmp_path}/images", 0))
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert data_fingerprint(TestData("digits", 0)) != data_fingerprint(TestData("digits", 1))
    assert data_fingerprint(None) == ""


def test_opening_and_hashing_import_no_torch(run):
    code = (
        "import sys; from samesight.conversion.sources.source import *; from pathlib import Path;"
        f"s = open_source({str(run)!r}); program_sha256(s.network); import samesight.conversion.workflow.convert;"
        "assert not {'torch', 'executorch', 'coremltools'} & set(sys.modules), 'a heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
