"""Each row of the table of known faults matches its pattern and nothing near it; the document is the table."""

import importlib.util
import re
from pathlib import Path

import pytest

from samesight.contract.verdicts import FaultWarning
from samesight.conversion.formats import FORMATS
from samesight.conversion.known_faults import KNOWN_FAULTS
from samesight.conversion.known_faults.check import NAMED, matching
from samesight.conversion.known_faults.document import DOCUMENT, document
from samesight.conversion.known_faults.network import Network, Operator
from samesight.conversion.known_faults.readers import READERS

spec = importlib.util.spec_from_file_location("fault_cases", Path(__file__).with_name("fault_cases.py"))
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


@pytest.mark.parametrize("id", KNOWN_FAULTS)
def test_a_fault_is_found_in_its_network_and_not_in_one_near_it(id):
    fault, (has, near) = KNOWN_FAULTS[id], cases.CASES[id]
    for format in fault.formats:
        assert id in [warning.id for warning in matching(has, format)]
        assert id not in [warning.id for warning in matching(near, format)]
    for format in set(FORMATS) - set(fault.formats):
        assert id not in [warning.id for warning in matching(has, format)]


def test_every_row_has_its_networks():
    assert set(cases.CASES) == set(KNOWN_FAULTS)
    assert len(KNOWN_FAULTS) >= 40


@pytest.mark.parametrize("fault", KNOWN_FAULTS.values(), ids=lambda fault: fault.id)
def test_a_row_is_whole(fault):
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", fault.id)
    assert set(fault.formats) <= set(READERS) and fault.formats and fault.units
    assert re.fullmatch(r"https://[\w./-]+", fault.source)
    for text in (fault.title, fault.versions, fault.pattern, fault.wrong, fault.remedy):
        assert text and not text.endswith(".") and "\n" not in text


def test_a_warning_names_the_first_operators():
    many = tuple(Operator("GATHER_ND", f"GATHER_ND {number}") for number in range(NAMED + 2))
    (warning,) = matching(Network(many), "litert")
    assert warning.operators == tuple(f"GATHER_ND {number}" for number in range(NAMED))
    assert warning.count == NAMED + 2 and isinstance(warning, FaultWarning)


def test_the_document_is_the_table():
    assert DOCUMENT.read_text(encoding="utf-8") == document()
