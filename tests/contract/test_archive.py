import shutil
import stat
import zipfile

import pytest

from samesight.contract.archive import (
    OTHER_CHIPS,
    choose,
    manifest_hashes,
    pack_bundle,
    require_verdicts,
    unpack_bundle,
)
from samesight.contract.bundle import open_bundle, replacing_bundle, seal
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.golden import write_cases
from samesight.contract.verdicts import AppVerdict, Verdict, Verdicts
from samesight.conversion.formats import formats_for
from support.bundles import SPEC, artifact, case, write_bundle


def _verdict(name, passed):
    return Verdict(
        name=name, format="onnx", precision="fp32", unit="cpu", runner="r", passed=passed, reason="", cases=2, bytes=1
    )


def test_packed_and_unpacked_it_is_the_same_bundle(tmp_path):
    bundle = write_bundle(tmp_path / "b")
    pack_bundle(bundle, "all", tmp_path / "b.zip")
    unpack_bundle(tmp_path / "b.zip", tmp_path / "c")
    again = open_bundle(tmp_path / "c")
    assert again.manifest.artifacts == bundle.manifest.artifacts
    assert not (tmp_path / "c/server.json").exists()
    assert len(again.golden_cases()) == 2


def test_the_same_bundle_gives_the_same_bytes(tmp_path):
    for name in "ab":
        pack_bundle(write_bundle(tmp_path / name), "all", tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_platform_gets_its_own_artifacts_with_their_verdicts(tmp_path):
    bundle = write_bundle(tmp_path / "b")
    rows = (_verdict("tiny.fp32.onnx", False), _verdict("tiny.fp16.mlpackage", True))
    bundle.write_verdicts(Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=False, artifacts=rows))
    pack_bundle(bundle, "ios", tmp_path / "ios.zip")
    unpack_bundle(tmp_path / "ios.zip", tmp_path / "ios")
    ios = open_bundle(tmp_path / "ios")
    assert [artifact.name for artifact in ios.manifest.artifacts] == ["tiny.fp16.mlpackage"]
    assert not (tmp_path / "ios/artifacts/tiny.fp32.onnx").exists()
    verdicts = ios.verdicts()
    assert verdicts is not None and verdicts.passed and [v.name for v in verdicts.artifacts] == ["tiny.fp16.mlpackage"]
    with pytest.raises(SamesightError, match="no artifact for android; convert with executorch or litert"):
        choose(bundle, "android", formats_for("android"))
    with pytest.raises(UsageError, match="no platform 'symbian'; choose among android, ios, all"):
        choose(bundle, "symbian")


def test_what_no_app_would_open_is_not_packed(tmp_path, monkeypatch):
    bundle = write_bundle(tmp_path / "b")
    monkeypatch.setattr("samesight.contract.archive.BUNDLE_BYTES", 1000)
    # Its files are not read for this.
    shutil.rmtree(tmp_path / "b/artifacts")
    with pytest.raises(SamesightError, match="packed for all it has more than 1,000 bytes"):
        pack_bundle(bundle, "all", tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def _rewrite(source, target, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            change(new, info, old.read(info))


def _traversal(new, info, data):
    new.writestr(info, data)
    if info.filename == "model.json":
        new.writestr("../evil", b"x")


def _absolute(new, info, data):
    new.writestr(info, data)
    if info.filename == "model.json":
        new.writestr("/tmp/evil", b"x")


def _link(new, info, data):
    if info.filename == "model.json":
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        data = b"/etc/passwd"
    new.writestr(info, data)


def _unlisted(new, info, data):
    new.writestr(info, data)
    if info.filename == "model.json":
        new.writestr("golden/extra", b"x")


def _too_long(new, info, data):
    new.writestr(info, data + b"\0" * 100 if info.filename == "model.json" else data)


def _no_manifest(new, info, data):
    if info.filename != "manifest.json":
        new.writestr(info, data)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_traversal, r"'\.\./evil' leaves the bundle; refused"),
        (_absolute, "is not a plain path inside the bundle"),
        (_link, r"model\.json is a link"),
        (_unlisted, "golden/extra is not listed in its manifest"),
        (_too_long, r"model\.json is longer than its manifest declares"),
        (_no_manifest, r"has no manifest\.json"),
    ],
)
def test_a_packed_file_that_is_not_what_it_says_is_refused(tmp_path, change, sentence):
    pack_bundle(write_bundle(tmp_path / "b"), "all", tmp_path / "good.zip")
    _rewrite(tmp_path / "good.zip", tmp_path / "bad.zip", change)
    with pytest.raises(SamesightError, match=sentence):
        unpack_bundle(tmp_path / "bad.zip", tmp_path / "c")
    assert not (tmp_path / "c").exists() and not (tmp_path / "c.new").exists() and not (tmp_path / "evil").exists()


def test_a_lying_length_in_the_zip_is_caught_while_reading(tmp_path):
    pack_bundle(write_bundle(tmp_path / "b"), "all", tmp_path / "b.zip")
    data = bytearray((tmp_path / "b.zip").read_bytes())
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(SamesightError, match="damaged or not a packed bundle"):
        unpack_bundle(tmp_path / "cut.zip", tmp_path / "c")
    with pytest.raises(SamesightError, match="no such file"):
        unpack_bundle(tmp_path / "none.zip", tmp_path / "c")


CHIPS = {
    "tiny.fp16.SM8650.tflite": ("SM8650",),
    "tiny.fp16.tensor.tflite": ("Tensor G3", "Tensor G4"),
    "tiny.fp32.onnx": None,
}


def _for_chips(folder):
    """A bundle with an artifact for any chip and two that were compiled for some."""
    with replacing_bundle(folder) as new:
        (new / "model.json").write_text(SPEC.to_json())
        (new / "artifacts").mkdir()
        made = []
        for name, soc in CHIPS.items():
            (new / "artifacts" / name).write_bytes(b"weights")
            unit = "npu" if soc else "cpu"
            made.append(artifact(name, "litert" if soc else "onnx").model_copy(update={"soc": soc, "unit": unit}))
        write_cases(new, [case(0), case(1)])
        seal(new, SPEC, tuple(made), None, "0")
    return open_bundle(folder)


@pytest.mark.parametrize(
    ("soc", "names"),
    [
        (None, list(CHIPS)),
        ("sm8650", ["tiny.fp16.SM8650.tflite", "tiny.fp32.onnx"]),
        ("Tensor G4", ["tiny.fp16.tensor.tflite", "tiny.fp32.onnx"]),
        (OTHER_CHIPS, ["tiny.fp32.onnx"]),
    ],
)
def test_a_chip_gets_what_was_compiled_for_it_and_what_runs_on_any(tmp_path, soc, names):
    bundle = _for_chips(tmp_path / "b")
    assert [artifact.name for artifact in choose(bundle, "all", soc=soc)] == names
    pack_bundle(bundle, "all", tmp_path / "b.zip", soc=soc)
    unpack_bundle(tmp_path / "b.zip", tmp_path / "c")
    phone = open_bundle(tmp_path / "c")
    assert sorted(path.name for path in (phone.folder / "artifacts").iterdir()) == sorted(names)
    # What a phone says of its pack is known to be about this bundle.
    assert phone.manifest_sha256() in manifest_hashes(bundle)


@pytest.mark.parametrize(
    ("soc", "hint"),
    [("SM8660", "did you mean SM8650"), ("?", "--soc other takes what runs on any")],
)
def test_a_chip_that_nothing_was_compiled_for_is_said(tmp_path, soc, hint):
    bundle = _for_chips(tmp_path / "b")
    with pytest.raises(UsageError, match=rf"nothing compiled for this chip \(it has SM8650, .*{hint}"):
        choose(bundle, "all", soc=soc)
    with pytest.raises(UsageError, match=r"samesight convert --unit npu compiles for chips"):
        choose(write_bundle(tmp_path / "c"), "all", soc="SM8650")


def test_what_an_npu_alone_runs_needs_that_something_ran_it(tmp_path):
    """Another artifact that nothing runs here may ship; for this one nothing can stand in."""
    bundle = _for_chips(tmp_path / "b")
    rows = tuple(_verdict(name, None if soc else True) for name, soc in CHIPS.items())
    verdicts = Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=True, artifacts=rows)
    bundle.write_verdicts(verdicts)
    require_verdicts(bundle, choose(bundle, "all", soc=OTHER_CHIPS))
    with pytest.raises(SamesightError, match=r"not judged yet: tiny\.fp16\.SM8650\.tflite \(.*tiny\.fp16\.tensor"):
        require_verdicts(bundle, bundle.manifest.artifacts)
    ran = AppVerdict(
        app="a", device="d", system="s", name="tiny.fp16.SM8650.tflite", unit="npu", passed=True, reason=""
    )
    bundle.write_verdicts(verdicts.model_copy(update={"apps": (ran,)}))
    require_verdicts(bundle, choose(bundle, "all", soc="SM8650"))
    bundle.write_verdicts(verdicts.model_copy(update={"apps": (ran.model_copy(update={"unit": "cpu"}),)}))
    with pytest.raises(SamesightError, match="not judged yet"):
        require_verdicts(bundle, choose(bundle, "all", soc="SM8650"))
