"""What artifacts gave is kept for the report: whole, and for the very same bundle alone."""

import json

import numpy as np
import pytest

from samesight.contract.bundle import MANIFEST, open_bundle
from samesight.conversion.parity import results
from samesight.conversion.parity.results import Results, load_results, save_results
from samesight.conversion.parity.run import Record
from samesight.conversion.parity.test_split import find_test_split
from samesight.conversion.qparams import QuantParams
from samesight.conversion.workflow.cache import Cache


def observed(bundle):
    """As if one artifact gave what the server model gives, another broke at the second case, and a third cannot run."""
    cases, split = bundle.golden_cases(), find_test_split(bundle)
    answers = split.server.answers(bundle.spec.labels)
    whole = Record([case.outputs for case in cases], [list(case.answers) for case in cases], answers)
    whole.qparams = {role: QuantParams(0.1, -3) for role in cases[0].outputs}
    torn = Record([cases[0].outputs], [list(cases[0].answers)], [], "RuntimeError: no memory")
    first, second, third = (artifact.name for artifact in bundle.manifest.artifacts[:3])
    return Results(cases, split, {first: whole, second: torn}, {third: (None, "not installed")})


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_what_was_kept_is_what_was_seen(demo, tmp_path, name):
    bundle, cache = open_bundle(demo / name), Cache(tmp_path)
    seen = observed(bundle)
    assert load_results(bundle, cache) is None
    save_results(bundle, seen, cache)
    again = load_results(bundle, cache)
    assert again.unable == seen.unable and again.records.keys() == seen.records.keys()
    for name, record in seen.records.items():
        other = again.records[name]
        assert (other.golden, other.test, other.error) == (record.golden, record.test, record.error)
        assert other.qparams == record.qparams and len(other.outputs) == len(record.outputs) > 0
        for ours, theirs in zip(record.outputs, other.outputs, strict=True):
            assert ours.keys() == theirs.keys()
            assert all(np.array_equal(ours[role], theirs[role]) for role in ours)


def test_another_bundle_or_another_runtime_has_nothing_kept(demo, copy_of, tmp_path, monkeypatch):
    cache, folder = Cache(tmp_path / "cache"), copy_of(demo / "digits")
    save_results(open_bundle(folder), observed(open_bundle(folder)), cache)
    assert load_results(open_bundle(folder), cache)
    with monkeypatch.context() as patch:
        patch.setattr(results, "tool_versions", lambda packages: dict.fromkeys(sorted(packages), "newer"))
        assert load_results(open_bundle(folder), cache) is None
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["artifacts"] = manifest["artifacts"][1:]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert load_results(open_bundle(folder), cache) is None


def test_a_cache_that_cannot_be_written_keeps_nothing(demo, tmp_path):
    bundle = open_bundle(demo / "digits")
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file")
    save_results(bundle, observed(bundle), cache)
    assert load_results(bundle, cache) is None


def test_a_report_shows_what_verify_saw_and_with_no_cache_what_runs_now(
    demo, copy_of, samesight_here, tmp_path, monkeypatch
):
    bundle, cache = copy_of(demo / "digits"), tmp_path / "cache"
    monkeypatch.setenv("SAMESIGHT_CACHE", str(cache))
    runs = []
    for module in ("parity.verify", "report.report"):
        monkeypatch.setattr(
            f"samesight.conversion.{module}.run_artifacts", lambda b, *_, **__: runs.append(b) or observed(b)
        )
    assert samesight_here("verify", bundle).returncode in (0, 1) and len(runs) == 1
    for number, option in enumerate(("--cache", "--no-cache")):
        done = samesight_here("report", bundle, "--no-bench", option, "--out", tmp_path / f"{number}.html")
        assert done.returncode == 0 and len(runs) == 1 + number, done.stderr
    assert (tmp_path / "0.html").read_bytes() == (tmp_path / "1.html").read_bytes()
