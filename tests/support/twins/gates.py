"""The app holds every artifact to Python's gates."""

import json
from dataclasses import asdict

import pytest

from samesight.contract.errors import SamesightError
from samesight.contract.gates import GATES, STEPS_APART, gate_for

UNITS = ("cpu", "gpu", "npu")
CASES = [(precision, unit) for precision in (*GATES, "int4", "it's") for unit in UNITS]


@pytest.fixture(scope="module")
def lines(parity, tmp_path_factory):
    cases = (json.dumps({"precision": precision, "unit": unit}) for precision, unit in CASES)
    return parity("gates", cases, tmp_path_factory.mktemp("gates"))


def test_the_table_is_pythons(lines):
    table = [{"precision": precision} | asdict(gate) for precision, gate in GATES.items()]
    assert [json.loads(line) for line in lines[: len(GATES)]] == table


def test_int8_artifacts_may_be_as_far_apart_as_in_python(lines):
    assert json.loads(lines[len(GATES)]) == {"steps_apart": STEPS_APART}


def gate_or_sentence(precision, unit):
    try:
        return asdict(gate_for(precision, unit))
    except SamesightError as refusal:
        return str(refusal)


def test_every_precision_has_pythons_gate_on_every_unit_and_an_unknown_one_its_sentence(lines):
    answers = [json.loads(line) if line.startswith("{") else line for line in lines[len(GATES) + 1 :]]
    assert answers == [gate_or_sentence(precision, unit) for precision, unit in CASES]
