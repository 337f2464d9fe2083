"""Whatever a packed bundle holds, the apps' reader and Python's agree whether it is taken."""

import json

from samesight.contract.archive import pack_bundle
from samesight.contract.verdicts import Verdicts
from support.bundles import write_bundle
from support.mutations import mutated_packs, outcome


def test_an_app_and_python_agree_on_mutated_packs(parity, memory_folder):
    bundle = write_bundle(memory_folder / "good")
    bundle.write_verdicts(Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=True, artifacts=()))
    pack_bundle(bundle, "all", memory_folder / "good.zip")
    cases, expected = [], []
    for number, data in mutated_packs((memory_folder / "good.zip").read_bytes()):
        archive, folder = memory_folder / f"{number}.zip", memory_folder / f"{number}.b"
        archive.write_bytes(data)
        cases.append({"archive": str(archive), "folder": str(folder)})
        expected.append(outcome(archive, folder))
    found = parity("bundles", map(json.dumps, cases), memory_folder)
    assert len(found) == len(cases)
    different = [
        (number, sentence, line)
        for number, (sentence, line) in enumerate(zip(expected, found, strict=True))
        if (sentence == "accepted") != (not line.startswith((str(memory_folder), "model ")))
    ]
    assert different == []
