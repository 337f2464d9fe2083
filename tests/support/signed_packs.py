"""Signed packs and what forgers make of them: labels, weights, golden cases, verdicts, other keys, older versions."""

import json
import zipfile
from dataclasses import dataclass

from samesight.contract.archive import pack_bundle
from samesight.contract.bundle import open_bundle
from samesight.contract.files import sha256
from samesight.contract.signature import Signer, new_key, read_private_key, read_public_key
from samesight.contract.verdicts import Verdict, Verdicts
from support.bundles import write_bundle

VERSION = 7


@dataclass(frozen=True)
class Keys:
    private: object
    public: object

    @classmethod
    def new(cls, folder):
        private, public = new_key(folder)
        return cls(read_private_key(private), read_public_key(public))


def judged_bundle(folder, passed=True, content=b"weights"):
    bundle = write_bundle(folder, content)
    rows = tuple(
        Verdict(
            name=artifact.name,
            format=artifact.format,
            precision="fp32",
            unit="cpu",
            runner="r",
            passed=passed,
            reason="it is so",
            cases=2,
            bytes=artifact.bytes,
        )
        for artifact in bundle.manifest.artifacts
    )
    bundle.write_verdicts(Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=passed, artifacts=rows))
    return open_bundle(folder)


def signed_pack(target, bundle, keys, version=VERSION):
    pack_bundle(bundle, "all", target, Signer(keys.private, version))
    return target


def repacked(source, target, change):
    """A pack whose files `change` (of path to bytes) has changed in place, with hashes that fit again everywhere."""
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    manifest = json.loads(files["manifest.json"])
    for entry in manifest["files"]:
        data = files[entry["path"]]
        entry.update(bytes=len(data), sha256=sha256(data))
    for artifact in manifest["artifacts"]:
        artifact["bytes"] = sum(
            entry["bytes"]
            for entry in manifest["files"]
            if entry["path"] == artifact["file"] or entry["path"].startswith(artifact["file"] + "/")
        )
    before = files["manifest.json"]
    if manifest != json.loads(before):
        files["manifest.json"] = json.dumps(manifest).encode()
    if "parity.json" in files:
        verdicts = json.loads(files["parity.json"])
        if verdicts["manifest_sha256"] == sha256(before) and files["manifest.json"] != before:
            verdicts["manifest_sha256"] = sha256(files["manifest.json"])
            files["parity.json"] = json.dumps(verdicts).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(name, data)
    return target


def edited(name, change):
    def edit(files):
        document = json.loads(files[name])
        change(document)
        files[name] = json.dumps(document).encode()

    return edit


def restated(**update):
    """Another statement under the old signature."""

    def change(document):
        document["statement"] = json.dumps(json.loads(document["statement"]) | update)

    return edited("signature.json", change)


def flipped(document):
    text = document["signature"]
    document["signature"] = text[:-1] + ("0" if text[-1] != "0" else "1")


def without_verdicts(files):
    del files["parity.json"]


def unsigned(files):
    del files["signature.json"]


def renamed(files):
    edited("model.json", lambda spec: spec.update(name="other"))(files)
    edited("manifest.json", lambda manifest: manifest.update(model="other"))(files)


MANIFEST_DIFFERS = "was changed after it was signed (manifest.json differs); get the file again"
VERDICTS_DIFFER = "was changed after it was signed (parity.json differs); get the file again"
DOES_NOT_HOLD = "its signature does not hold; signature.json was changed, get the file again"

# What a forger changes, with every hash made to fit, and the sentence after the pack's name.
FORGERIES = {
    "labels": (edited("model.json", lambda spec: spec["labels"].reverse()), MANIFEST_DIFFERS),
    "weights": (lambda files: files.update({"artifacts/tiny.fp32.onnx": b"other"}), MANIFEST_DIFFERS),
    "golden case": (
        lambda files: files.update({"golden/000.logits": files["golden/000.logits"][4:] + b"\0\0\0\0"}),
        MANIFEST_DIFFERS,
    ),
    "golden answers": (
        edited("golden/cases.json", lambda cases: cases["cases"][0]["answers"].reverse()),
        MANIFEST_DIFFERS,
    ),
    "verdicts": (edited("parity.json", lambda verdicts: verdicts.update(passed=False)), VERDICTS_DIFFER),
    "no verdicts": (without_verdicts, VERDICTS_DIFFER),
    "version": (restated(version=99), DOES_NOT_HOLD),
    "model": (restated(model="other"), DOES_NOT_HOLD),
    "signature": (edited("signature.json", flipped), DOES_NOT_HOLD),
    "unsigned": (unsigned, "is not signed, and only packs signed by key {key} are taken"),
}
