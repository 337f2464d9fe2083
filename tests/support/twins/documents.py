"""Faulty bundles and documents: the apps refuse what Python refuses, with the same sentence."""

import json
import os
import shutil
import stat
import zipfile

import pytest

from samesight.contract.archive import pack_bundle, unpack_bundle
from samesight.contract.bundle import open_bundle, replacing_bundle, seal
from samesight.contract.device_results import Times
from samesight.contract.errors import SamesightError
from samesight.contract.files import sha256
from samesight.contract.limits import DOCUMENT_BYTES
from samesight.contract.manifest import parse_manifest
from samesight.contract.spec import parse_spec
from samesight.contract.verdicts import AppVerdict, FaultWarning, Verdict, Verdicts
from support.bundles import SPEC, write_bundle
from support.random_cases import answer_cases, sentence_or

WRONG = (
    None,
    True,
    "1",
    [],
    {},
    "zzz",
    "",
    -1,
    0.5,
    10_000_000,
    3_000_000_000,
    [1],
    ["a"],
    [0.5, 0.25],
    {"a": 1},
    {"rule": "zoom"},
)
MISSING = object()


@pytest.fixture(scope="module")
def run(parity, tmp_path_factory):
    def run_on(command, cases):
        return parity(command, map(json.dumps, cases), tmp_path_factory.mktemp(command))

    return run_on


# ---- documents ----


def places(value, path=()):
    """Paths of everything in a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(document, path, value):
    copy = json.loads(json.dumps(document))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    if value is MISSING:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return copy


def with_extra(document, path):
    copy = json.loads(json.dumps(document))
    target = copy
    for key in path:
        target = target[key]
    return copy if not isinstance(target, dict) else (target.update(extra=1), copy)[1]


def faults_of(document):
    yield with_extra(document, ())
    for path in places(document):
        yield changed(document, path, MISSING)
        yield with_extra(document, path)
        # pydantic quotes a tag that is no text as Python's repr.
        for wrong in ("zzz", "", 1) if path[-1] == "rule" else WRONG:
            yield changed(document, path, wrong)


def specs():
    cases = answer_cases(60, seed=6)
    found = [case["spec"] for case in cases]
    yield found[0]
    yield next(spec for spec in found if spec["task"] == "detection" and "strides" in spec["detection"]["boxes"])
    yield next(spec for spec in found if spec["task"] == "detection" and spec["detection"]["background"] is not None)
    for coding in ("distances", "anchor_deltas"):
        yield next(
            spec
            for spec in found
            if spec["task"] == "detection"
            and "grids" in spec["detection"]["boxes"]
            and spec["detection"]["boxes"]["coding"] == coding
        )
    yield SPEC.model_dump(mode="json")
    for activation in ("sigmoid", "none"):
        yield found[0] | {"outputs": found[0]["outputs"] | {"activation": activation}}


def check_documents(run, kind, parse, texts, least=21):
    expected = [sentence_or(accepts, parse, text) for text in texts]
    found = run("documents", [{"kind": kind, "text": text} for text in texts])
    assert len(set(expected)) >= least
    assert [pair for pair in zip(texts, expected, found, strict=True) if pair[1] != pair[2]] == []


def accepts(parse, text):
    parse(text, "document")
    return "accepted"


def test_faulty_specs_are_refused_in_pythons_words(run):
    texts = [json.dumps(fault) for spec in specs() for fault in faults_of(spec)]
    check_documents(run, "spec", parse_spec, texts)


LABELS = (
    ["cat\n", "dog"],
    ["cat", "d\x1b[2Jog"],
    ["cat", "dog\x7f"],
    ["cat", "\x85"],
    ["cat", "dog\u2028"],
    ["cat", "dog\u2029"],
    ["cat", "\ud800"],
    ["cat", "dog\udc00x"],
    ["cat", ""],
    ["cat", " \u00a0\u3000"],
    ["cat", "dog", "cat"],
    ["cat", "dog", "Cat", "cat "],
    ["cat", "\U0001f415", "st\u00fcck", "stu\u0308ck", "\u200b", "\u202e", "a b"],
)


def test_labels_are_refused_in_pythons_words(run):
    spec = next(spec for spec in specs() if spec["task"] == "classification")
    texts = [json.dumps(spec | {"labels": labels}) for labels in LABELS]
    expected = [sentence_or(accepts, parse_spec, text) for text in texts]
    assert expected == [
        *["document: label 0 holds a line break or another control character; mend it or make it anew"],
        *["document: label 1 holds a line break or another control character; mend it or make it anew"] * 7,
        *["document: label 1 is blank; mend it or make it anew"] * 2,
        "document: labels 0 and 2 are the same; mend it or make it anew",
        *["accepted"] * 2,
    ]
    assert run("documents", [{"kind": "spec", "text": text} for text in texts]) == expected


def test_faulty_manifests_are_refused_in_pythons_words(run, tmp_path):
    manifest = json.loads((write_bundle(tmp_path / "b").folder / "manifest.json").read_text())
    manifest["files"] = manifest["files"][:3]
    manifest["artifacts"][0]["soc"] = ["SM8650", "Tensor G3"]
    left = {"kind": "ATAN2", "count": 1, "reason": "the compiler has no such operator"}
    manifest["artifacts"][0]["plan"] = {"pieces": 2, "operators": 9, "left": [left]}
    texts = [json.dumps(fault) for fault in faults_of(manifest)]
    for path in (
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        ".",
        "C:x",
        "a\\b",
        "a\0b",
        "it's",
        'say "x/../',
    ):
        texts.append(json.dumps(changed(manifest, ("files", 0, "path"), path)))
    check_documents(run, "manifest", parse_manifest, texts)


def test_what_is_no_json_or_of_a_newer_schema_is_refused(run):
    good = json.dumps(SPEC.model_dump(mode="json"))
    broken = [good[:-2], "", "{", '{"a": 1,}', "[1 2]", "zzz", good.replace(": 8", ": eight"), "[" * 100_000]
    found = run("documents", [{"kind": "spec", "text": text} for text in broken])
    for text, sentence in zip(broken, found, strict=True):
        if text != "[" * 100_000:  # Python's parser gives up with a RecursionError there.
            assert sentence_or(accepts, parse_spec, text).startswith("document: not a JSON document (")
        assert sentence.startswith("document: not a JSON document (") and sentence.endswith("); make it anew")
    others = [good.replace('"schema_version": 1', f'"schema_version": {n}') for n in (2, 99, 0, "null", '"1"')]
    others += ["null", "[]", "3", good.replace(": 8", ": NaN"), good.replace(": 0.5", ": 1e999", 1)]
    expected = [sentence_or(accepts, parse_spec, text) for text in others]
    assert run("documents", [{"kind": "spec", "text": text} for text in others]) == expected


LARGE = (10**30, -(10**30), 2**63, -(2**63), 2**63 - 1, 1e300, 1e19, -1e19, 9.3e18, 8.0, -0.0, 10**400, -(10**400))


def test_large_numbers_are_refused_in_pythons_words(run, tmp_path):
    manifest = json.loads((write_bundle(tmp_path / "b").folder / "manifest.json").read_text())
    places_of = {
        "spec": (("top_k",), ("input", "mean", 0), ("input", "width"), ("schema_version",)),
        "manifest": (("files", 0, "bytes"), ("artifacts", 0, "input", "shape", 0), ("schema_version",)),
    }
    for kind, parse, document in (
        ("spec", parse_spec, SPEC.model_dump(mode="json")),
        ("manifest", parse_manifest, manifest),
    ):
        texts = [
            json.dumps(changed(document, path, value))
            for path in places_of[kind]
            for value in LARGE
            # Of a schema that is far below zero pydantic has words of its own.
            if path != ("schema_version",) or value > 0
        ]
        check_documents(run, kind, parse, texts, least=8)


# ---- bundles ----


def truncate(folder):
    (folder / "artifacts/tiny.fp32.onnx").write_bytes(b"weigh")


def tamper(folder):
    (folder / "artifacts/tiny.fp32.onnx").write_bytes(b"Weights")


def remove(folder):
    (folder / "golden/000.rgb").unlink()


def add(folder):
    (folder / "artifacts/tiny.fp16.mlpackage/more").write_bytes(b"")


def link(folder):
    remove(folder)
    (folder / "golden/000.rgb").symlink_to("/etc/hostname")


def link_folder(folder):
    (folder / "golden").rename(folder.parent / "elsewhere")
    (folder / "golden").symlink_to(folder.parent / "elsewhere")


def older(folder):
    rewrite_manifest(folder, lambda manifest: manifest | {"schema_version": 1})


def newer(folder):
    rewrite_manifest(folder, lambda manifest: manifest | {"schema_version": 3})


def escape(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"golden/000.rgb"', '"../golden/000.rgb"'))


def other_model(folder):
    rewrite_manifest(folder, lambda manifest: manifest | {"model": "it's"})


def no_manifest(folder):
    (folder / "manifest.json").unlink()


def a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("a file")


def no_bundle(folder):
    shutil.rmtree(folder)


def wrong_size(folder):
    change_listed(folder, "golden/000.rgb", lambda data: b"\x07" + data[1:])


def short_tensor(folder):
    change_listed(folder, "golden/001.input", lambda data: data[:-1])


def short_logits(folder):
    change_listed(folder, "golden/001.logits", lambda data: data[:-4])


def large_document(folder):
    with (folder / "manifest.json").open("ab") as file:
        file.truncate(DOCUMENT_BYTES + 1)


def many_bytes(folder):
    rewrite_manifest(folder, lambda manifest: (manifest["files"][0].update(bytes=2**31), manifest)[1])


def other_artifact_length(folder):
    rewrite_manifest(folder, lambda manifest: (manifest["artifacts"][1].update(bytes=3), manifest)[1])


def no_sides(folder):
    change_listed(folder, "golden/cases.json", lambda data: data.replace(b'"width": 9', b'"width": 0', 1))


def negative_sides(folder):
    change_listed(
        folder, "golden/cases.json", lambda data: data.replace(b'"width": 9', b'"width": -9').replace(b": 7,", b": -7,")
    )


def many_sides(folder):
    change_listed(
        folder, "golden/cases.json", lambda data: data.replace(b'"shape": [', b'"shape": [' + b"2147483647," * 7)
    )


def pipe(folder):
    (folder / "golden/000.rgb").unlink()
    os.mkfifo(folder / "golden/000.rgb")


def rewrite_manifest(folder, change):
    path = folder / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def change_listed(folder, path, change):
    """A file and its entry in the manifest, so that only a reader of the content can notice."""
    data = change((folder / path).read_bytes())
    (folder / path).write_bytes(data)

    def update(manifest):
        for entry in manifest["files"]:
            if entry["path"] == path:
                entry.update(bytes=len(data), sha256=sha256(data))
        return manifest

    rewrite_manifest(folder, update)


DAMAGES = (truncate, tamper, remove, add, link, link_folder, newer, older, escape, other_model, no_manifest, no_bundle)
DAMAGES += (a_file, wrong_size, short_tensor, short_logits, large_document, many_bytes, other_artifact_length, no_sides)
DAMAGES += (negative_sides, many_sides, pipe)


def golden_of(folder):
    return open_bundle(folder).golden_cases()


def test_damaged_bundles_are_refused_in_pythons_words(run, tmp_path):
    expected, cases = [], []
    for damage in DAMAGES:
        folder = write_bundle(tmp_path / damage.__name__ / "b").folder
        damage(folder)
        with pytest.raises(SamesightError) as error:
            golden_of(folder)
        expected.append(str(error.value))
        cases.append({"folder": str(folder)})
    assert run("bundles", cases) == expected


def test_a_bundle_s_golden_cases_are_met_to_the_byte(run, tmp_path):
    bundle = write_bundle(tmp_path / "b")
    where = {"app": "an app", "device": "Maker Model", "system": "Android 16", "name": "tiny.fp32.onnx", "unit": "npu"}
    ran = AppVerdict(**where, passed=True, reason="", proof="timing", times=Times(load=3.0, first=2.0, steady=1.0))
    refused = AppVerdict(**where, passed=None, reason="not used")
    warning = FaultWarning(
        id="a-fault",
        title="t",
        severity="slow",
        units=("gpu", "npu"),
        versions="1",
        count=4,
        operators=("ADD 1",),
        remedy="another",
        source="https://example.org/1",
    )
    judged = Verdict(
        name="tiny.fp32.onnx",
        format="onnx",
        precision="fp32",
        unit="cpu",
        runner="a runtime",
        passed=True,
        reason="",
        cases=2,
        bytes=7,
        warnings=(warning,),
    )
    sealed = bundle.manifest_sha256()
    verdicts = Verdicts(manifest_sha256=sealed, passed=True, artifacts=(judged,), apps=(ran, refused))
    bundle.write_verdicts(verdicts)
    known = "tiny tiny.fp32.onnx,tiny.fp16.mlpackage 000:met,001:met"
    assert run("bundles", [{"folder": str(bundle.folder)}]) == [
        f"{known} true NPU 1.0 NPU null a-fault SLOW [GPU, NPU] [ADD 1] 4"
    ]
    change_listed(bundle.folder, "golden/001.input", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    assert run("bundles", [{"folder": str(bundle.folder)}]) == [f"{known.replace('001:met', '001:other tensor')} null"]


# ---- packed bundles ----


def entry(name, data=b"x", mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info, data


def rewritten(source, target, change, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for info in old.infolist():
            for changed_info, data in change(info, old.read(info)):
                changed_info.compress_type = compression
                new.writestr(changed_info, data)
    return target


def after_spec(extra):
    return lambda info, data: [(info, data), *([extra] if info.filename == "model.json" else [])]


def instead_of_spec(make):
    return lambda info, data: [make(info, data) if info.filename == "model.json" else (info, data)]


CHANGES = {
    "traversal": after_spec(entry("../evil")),
    "absolute": after_spec(entry("/tmp/evil")),
    "backslash": after_spec(entry("a\\b")),
    "link": after_spec(entry("golden/link", b"/etc/passwd", stat.S_IFLNK | 0o777)),
    "folder": after_spec(entry("golden/", b"", stat.S_IFDIR | 0o755)),
    "unlisted": after_spec(entry("golden/extra")),
    "too long": instead_of_spec(lambda info, data: (info, data + b"\0" * 100)),
    "no manifest": lambda info, data: [] if info.filename == "manifest.json" else [(info, data)],
    "missing file": lambda info, data: [] if info.filename == "model.json" else [(info, data)],
    "other content": instead_of_spec(lambda info, data: (info, data.replace(b"cat", b"cow"))),
}


def test_packed_bundles_that_are_not_what_they_say_are_refused(run, tmp_path):
    pack_bundle(write_bundle(tmp_path / "b"), "all", tmp_path / "good.zip")
    data = (tmp_path / "good.zip").read_bytes()
    archives = [rewritten(tmp_path / "good.zip", tmp_path / f"{name}.zip", change) for name, change in CHANGES.items()]
    for name, content in {"cut": data[: len(data) // 2], "empty": b"", "text": b"hello" * 100}.items():
        archives.append(tmp_path / f"{name}.zip")
        archives[-1].write_bytes(content)
    archives += [tmp_path / "none.zip", tmp_path]
    expected = []
    for archive in archives:
        with pytest.raises(SamesightError) as error:
            unpack_bundle(archive, tmp_path / "c")
        expected.append(str(error.value))
    found = run("bundles", [{"archive": str(archive), "folder": str(tmp_path / "c")} for archive in archives])
    assert found == expected
    assert not (tmp_path / "c").exists() and not (tmp_path / "c.new").exists()
    assert not list(tmp_path.rglob("evil"))


def test_flipped_bytes_of_a_packed_bundle_are_noticed(run, tmp_path):
    pack_bundle(write_bundle(tmp_path / "b"), "all", tmp_path / "good.zip")
    data = (tmp_path / "good.zip").read_bytes()
    cases = []
    for place in range(7, len(data), len(data) // 40):
        archive = tmp_path / f"{place}.zip"
        archive.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        cases.append({"archive": str(archive), "folder": str(tmp_path / str(place))})
    for case, line in zip(cases, run("bundles", cases), strict=True):
        # A date or a flag of an entry changes nothing that a reader believes.
        assert line.startswith((case["archive"], case["folder"])) or line.endswith("000:met,001:met null")
    assert sum(line.startswith("/") for line in run("bundles", cases)) > len(cases) // 2


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_unpacked_it_is_the_same_bundle_and_replaces_an_older_one(run, tmp_path, compression):
    with replacing_bundle(tmp_path / "c") as new:
        (new / "model.json").write_text(SPEC.to_json())
        seal(new, SPEC, (), None, "0")
    pack_bundle(write_bundle(tmp_path / "b"), "all", tmp_path / "b.zip")
    archive = rewritten(tmp_path / "b.zip", tmp_path / "again.zip", lambda info, data: [(info, data)], compression)
    assert run("bundles", [{"archive": str(archive), "folder": str(tmp_path / "c")}]) == [
        "tiny tiny.fp32.onnx,tiny.fp16.mlpackage 000:met,001:met null"
    ]
    assert len(open_bundle(tmp_path / "c").golden_cases()) == 2
