"""Native runtimes on damaged files of their own: answers or one sentence, and the process that asked lives on."""

import shutil

import pytest

from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError
from samesight.conversion.parity.verify import verify_bundle
from samesight.conversion.runners.model import open_artifact
from support.faulty import reseal

# Bytes that were changed, of files that ended their runtime by SIGBUS, SIGSEGV and SIGABRT.
PTE = {1462: 17, 2363: 218, 4072: 141}
PTE_HEADER = {1: 94, 8: 38, 9: 71, 28: 21, 37: 123, 43: 111, 49: 82, 50: 128, 52: 77, 60: 155}
PTE_INT8 = {1635: 162, 1999: 87, 2445: 252, 2807: 90, 2937: 254, 3689: 249, 3778: 121}
ASSET = {137: 81, 139: 161, 178: 32, 193: 89, 263: 177}
CASES = {
    "digits.fp32.pte": ("", [PTE, PTE_HEADER]),
    "digits.int8.pte": ("", [PTE_INT8]),
    "digits.fp16.aimodel": ("main.mlirb", [ASSET, "longer"]),
}


def changed(data, change):
    if change == "longer":
        return data + b"\x5a" * 4528
    data = bytearray(data)
    for place, value in change.items():
        data[place] = value
    return bytes(data)


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_artifact_is_a_sentence_and_a_verdict(demo, tmp_path, name):
    inside, changes = CASES[name]
    if name not in [artifact.name for artifact in open_bundle(demo / "digits").manifest.artifacts]:
        pytest.skip(f"the demo has no {name} here; pip install 'samesight[coreai]'")
    refused = []
    for number, change in enumerate(changes):
        folder = shutil.copytree(demo / "digits", tmp_path / str(number))
        file = folder / "artifacts" / name / inside
        file.write_bytes(changed(file.read_bytes(), change))
        reseal(folder)
        bundle = open_bundle(folder)
        picture = bundle.golden_cases()[0].picture
        try:
            open_artifact(bundle, name)(picture)
        except SamesightError as error:
            refused.append(str(error))
            assert str(error).startswith(str(folder)) and "\n" not in str(error)
        if number == 0:
            (verdict,) = verify_bundle(bundle, names=(name,)).artifacts
            assert verdict.name == name and verdict.passed is False and "\n" not in verdict.reason
    assert refused
