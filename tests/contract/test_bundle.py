import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from samesight.contract.bundle import check_declared, open_bundle, replacing_bundle, seal
from samesight.contract.errors import SamesightError
from samesight.contract.files import beside, write_atomically
from samesight.contract.golden import read_cases
from samesight.contract.limits import BUNDLE_BYTES, FOLDER_BYTES
from samesight.contract.orientation import Orientation
from samesight.contract.verdicts import Verdicts
from support.bundles import SPEC, case, write_bundle


def test_a_bundle_comes_back_as_it_was_written(tmp_path):
    bundle = write_bundle(tmp_path / "b")
    assert bundle.spec == SPEC
    assert bundle.find("tiny.fp32.onnx").bytes == len(b"weights")
    assert bundle.find("tiny.fp16.mlpackage").bytes == 2
    for written, read in zip([case(0), case(1, Orientation(1, True))], bundle.golden_cases(), strict=True):
        assert (read.id, read.yuv, read.answers, read.picture.orientation) == (
            written.id,
            written.yuv,
            written.answers,
            written.picture.orientation,
        )
        np.testing.assert_array_equal(read.picture.pixels, written.picture.pixels)
        np.testing.assert_array_equal(read.tensor, written.tensor)
        np.testing.assert_array_equal(read.outputs["logits"], written.outputs["logits"])


def test_an_unknown_artifact_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(SamesightError, match=r"no artifact 'x'; it has tiny\.fp32\.onnx, tiny\.fp16\.mlpackage"):
        write_bundle(tmp_path / "b").find("x")


def test_every_format_of_a_large_network_may_stand_in_a_folder_and_not_in_an_app(tmp_path):
    """VGG has 0.5 GB in float32, in seven formats; what no file of a phone's can be is refused everywhere."""
    manifest = write_bundle(tmp_path / "b").manifest
    (entry,) = (each for each in manifest.files if each.path.endswith(".onnx"))

    def declaring(size, count=1):
        files = [*manifest.files, *(entry.model_copy(update={"path": f"x{n}", "bytes": size}) for n in range(count))]
        return manifest.model_copy(update={"files": tuple(files)})

    check_declared(declaring(600_000_000, 7), "b", FOLDER_BYTES)
    with pytest.raises(SamesightError, match="b: declares more than 2,147,483,647 bytes; not a bundle"):
        check_declared(declaring(600_000_000, 7), "b")
    with pytest.raises(SamesightError, match="b: declares more than 2,147,483,647 bytes; not a bundle"):
        check_declared(declaring(BUNDLE_BYTES + 1), "b", FOLDER_BYTES)
    with pytest.raises(SamesightError, match="b: declares more than 68,719,476,736 bytes; not a bundle"):
        check_declared(declaring(BUNDLE_BYTES, 40), "b", FOLDER_BYTES)


def _truncate(folder):
    (folder / "artifacts/tiny.fp32.onnx").write_bytes(b"weigh")


def _tamper(folder):
    (folder / "artifacts/tiny.fp32.onnx").write_bytes(b"Weights")


def _remove(folder):
    (folder / "golden/000.rgb").unlink()


def _add(folder):
    (folder / "artifacts/tiny.fp16.mlpackage/more").write_bytes(b"")


def _link(folder):
    (folder / "golden/000.rgb").unlink()
    (folder / "golden/000.rgb").symlink_to("/etc/hostname")


def _older(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 1}))


def _newer(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 3}))


def _cut_manifest(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[: len(text) // 2])


def _escape(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"golden/000.rgb"', '"../golden/000.rgb"'))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"image": "../outside.rgb"}, r"cases\.json: cases\.0\.image: '\.\./outside\.rgb' leaves the bundle; mend it"),
        ({"image": "/etc/hostname"}, r"'/etc/hostname' is not a plain path inside the bundle"),
        ({"image": "golden/none.rgb"}, r"none\.rgb: No such file or directory, but golden/cases\.json names it"),
        ({"image": "golden/short"}, r"short: its size is not that of golden/cases\.json"),
        (
            {"input": {"path": "golden/short", "shape": [4, 4, 3]}},
            r"short: has 3 values, golden/cases\.json says \(4, 4, 3\)",
        ),
    ],
)
def test_golden_cases_that_lead_astray_are_one_sentence(tmp_path, wrong, sentence):
    folder = write_bundle(tmp_path / "b").folder
    (folder / "golden/short").write_bytes(b"abc")
    cases = json.loads((folder / "golden/cases.json").read_text())
    cases["cases"][0].update(wrong)
    (folder / "golden/cases.json").write_text(json.dumps(cases))
    with pytest.raises(SamesightError, match=sentence):
        read_cases(folder)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_truncate, r"tiny\.fp32\.onnx: has 5 bytes, the manifest says 7"),
        (_tamper, r"tiny\.fp32\.onnx: its content was changed"),
        (_remove, r"000\.rgb: missing"),
        (_add, r"more: not listed in manifest\.json"),
        (_link, r"000\.rgb: a bundle holds plain files"),
        (_newer, r"written by a newer samesight \(schema 3, this one reads 2\)"),
        (_older, r"written by an older samesight \(schema 1, this one reads 2\); make it anew"),
        (_cut_manifest, r"manifest\.json: not a JSON document"),
        (_escape, r"leaves the bundle"),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_sentence(tmp_path, damage, sentence):
    folder = write_bundle(tmp_path / "b").folder
    damage(folder)
    with pytest.raises(SamesightError, match=sentence) as error:
        open_bundle(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()])
def test_what_is_no_bundle_says_what_makes_one(tmp_path, make):
    make(tmp_path / "b")
    with pytest.raises(SamesightError, match="convert"):
        open_bundle(tmp_path / "b")


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/thesis.txt").write_text("dear")
    with pytest.raises(SamesightError, match="is not a bundle, so it is left alone"):
        write_bundle(tmp_path / "b")
    assert (tmp_path / "b/thesis.txt").read_text() == "dear"


def test_a_failed_write_keeps_the_old_bundle_and_leaves_nothing_behind(tmp_path):
    write_bundle(tmp_path / "b")
    with pytest.raises(RuntimeError), replacing_bundle(tmp_path / "b") as new:
        (new / "half").write_text("")
        raise RuntimeError
    with pytest.raises(SamesightError, match=r"has no manifest\.json"), replacing_bundle(tmp_path / "b"):
        pass
    assert open_bundle(tmp_path / "b").spec == SPEC
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_verdicts_on_another_manifest_are_ignored(tmp_path):
    bundle = write_bundle(tmp_path / "b")
    assert bundle.verdicts() is None
    bundle.write_verdicts(Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=True, artifacts=()))
    assert open_bundle(tmp_path / "b").verdicts().passed
    seal(bundle.folder, SPEC, bundle.manifest.artifacts, None, "another version")
    assert open_bundle(tmp_path / "b").verdicts() is None


@pytest.mark.parametrize("state", ["new whole", "new broken", "no new"])
def test_an_interrupted_exchange_is_finished_or_rolled_back(tmp_path, state):
    folder = tmp_path / "b"
    write_bundle(folder, b"old")
    folder.rename(beside(folder, ".old"))
    if state != "no new":
        write_bundle(tmp_path / "other", b"newer")
        (tmp_path / "other").rename(beside(folder, ".new"))
    if state == "new broken":
        (beside(folder, ".new") / "model.json").unlink()
    size = open_bundle(folder).find("tiny.fp32.onnx").bytes
    assert size == (5 if state == "new whole" else 3)
    assert not beside(folder, ".old").exists()


WRITE = """
import sys; sys.path.insert(0, sys.argv[3])
from pathlib import Path; from support.bundles import write_bundle
n = 0
while True:
    n += 1
    write_bundle(Path(sys.argv[1]), b"x" * (n % 2 + 1))
    if n == 1: Path(sys.argv[2]).write_text("")
"""


def test_killed_at_any_moment_there_is_the_old_bundle_or_the_new(tmp_path):
    """A process that rewrites a bundle without end is killed again and again."""
    random = np.random.default_rng(0)
    for _ in range(6):
        ready = tmp_path / "ready"
        ready.unlink(missing_ok=True)
        here = str(Path(__file__).parents[1])
        writer = subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path / "b"), str(ready), here])
        while not ready.exists():
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.05))
        writer.kill()
        writer.wait()
        assert open_bundle(tmp_path / "b").find("tiny.fp32.onnx").bytes in (1, 2)


def test_two_writers_at_once_do_not_mix(tmp_path):
    with replacing_bundle(tmp_path / "b") as new:
        with pytest.raises(SamesightError, match="another process is writing here"), replacing_bundle(tmp_path / "b"):
            pass
        assert new.is_dir()
        (new / "model.json").write_text(SPEC.to_json())
        (new / "golden").mkdir()
        seal(new, SPEC, (), None, "0")


def test_a_bundle_that_nobody_could_open_is_not_made(tmp_path, monkeypatch):
    write_bundle(tmp_path / "b")
    for limit, sentence in (
        ("FOLDER_BYTES", "tiny: its artifacts have .* bytes together, and a bundle holds 20,000; "),
        ("BUNDLE_BYTES", "tiny: artifacts/tiny.fp32.onnx has 20,001 bytes, and no app opens more than 20,000; "),
    ):
        with monkeypatch.context() as patch, pytest.raises(SamesightError, match=sentence):
            patch.setattr(f"samesight.contract.bundle.{limit}", 20_000)
            write_bundle(tmp_path / "b", b"x" * 20_001)
    assert open_bundle(tmp_path / "b").find("tiny.fp32.onnx").bytes < 20_000


def test_an_unwritable_place_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SamesightError, match="is a file where a folder has to be"):
        write_bundle(tmp_path / "file/b")
    with pytest.raises(SamesightError, match="cannot be written"):
        write_atomically(tmp_path / "missing/file", b"")


def test_a_full_disk_loses_nothing(small_disk):
    write_bundle(small_disk / "b")
    with pytest.raises(SamesightError, match=r"cannot be written \(No space left on device\)"):
        write_bundle(small_disk / "b", b"x" * 3_000_000)
    assert open_bundle(small_disk / "b").find("tiny.fp32.onnx").bytes == 7
    with pytest.raises(SamesightError, match="No space left"):
        write_atomically(small_disk / "f", b"x" * 3_000_000)
    assert [path.name for path in small_disk.iterdir()] == ["b"]
