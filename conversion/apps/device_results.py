"""Verdicts on an app's own code: its results on the golden cases, compared with the server model's answers."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from samesight.contract.archive import manifest_hashes
from samesight.contract.bundle import Bundle
from samesight.contract.device_results import CaseRun, DeviceParity, UnitRun
from samesight.contract.documents import read_document
from samesight.contract.errors import SamesightError
from samesight.contract.gates import Gate, gate_for
from samesight.contract.golden import GoldenCase, StoredAnswer
from samesight.contract.spec import ModelSpec
from samesight.contract.tasks import TASKS
from samesight.contract.verdicts import AppVerdict, Verdicts
from samesight.conversion.apps.device_diagnosis import cause_in_words
from samesight.conversion.parity.verify import merge_apps
from samesight.conversion.tasks.agreement import Agreement


def read_device_parity(path: Path, bundle: Bundle) -> DeviceParity:
    """Read the results that an app exported.

    Raises:
        SamesightError: no such file, damaged, or of another bundle.
    """
    parity = read_document(DeviceParity, path)
    if parity.manifest_sha256 not in manifest_hashes(bundle):
        raise SamesightError(
            f"{path}: these are results of another bundle than {bundle.folder}; put this bundle into the app "
            "(`samesight install`) and run its self-test again"
        )
    if not parity.runs:
        raise SamesightError(f"{path}: holds no runs; let the app's self-test come to its end and export it again")
    return parity


def judge_device(bundle: Bundle, parity: DeviceParity) -> tuple[AppVerdict, ...]:
    """One verdict per run.

    A unit that the app refuses is not used and fails nothing; an artifact that no unit runs fails.

    Raises:
        SamesightError: a run of an artifact that the bundle does not have.
    """
    cases = bundle.golden_cases()
    used = {run.artifact for run in parity.runs if run.refusal is None}
    return tuple(_judge_run(bundle, parity, run, cases, run.artifact in used) for run in parity.runs)


def add_devices(bundle: Bundle, verdicts: Verdicts, parities: Iterable[DeviceParity]) -> Verdicts:
    """Judge all results, add them to the verdicts and write these into the bundle."""
    for parity in parities:
        verdicts = merge_apps(verdicts, judge_device(bundle, parity))
    bundle.write_verdicts(verdicts)
    return verdicts


def _judge_run(bundle: Bundle, parity: DeviceParity, run: UnitRun, cases: list[GoldenCase], used: bool) -> AppVerdict:
    artifact = bundle.find(run.artifact)
    verdict = AppVerdict(
        app=parity.app,
        device=parity.device,
        system=parity.system,
        name=run.artifact,
        unit=run.unit,
        passed=None,
        reason="",
        delegates=run.delegates,
    )
    if run.refusal is not None:
        reason = f"not used: {run.refusal}" if used else f"no unit runs it: {run.refusal}"
        return verdict.model_copy(update={"passed": None if used else False, "reason": reason})
    gate = gate_for(artifact.precision, run.unit)
    case_runs: dict[tuple[str, str], CaseRun] = {(case.id, case.image): case for case in run.cases}
    missed, agreement = _differences(case_runs, cases, bundle.spec, gate)
    missing = [role for role in bundle.spec.roles if role not in run.snr_db]
    missed += [f"says nothing of output {role}" for role in missing]
    if artifact.precision != "fp32":
        # A rounded model is never an exact copy, but figures that were never measured look like one.
        missed += [f"{role} is said to be an exact copy" for role, value in run.snr_db.items() if value is None]
    ratios = [(value, role) for role, value in run.snr_db.items() if value is not None]
    lowest = min(ratios, default=None)
    if lowest and lowest[0] < gate.snr_db:
        missed.append(f"{lowest[1]} {lowest[0]:.1f} dB is below {gate.snr_db:g} dB")
    if agreement.share is not None and agreement.share < gate.agreement:
        missed.append(f"answers agree on {agreement.share:.1%}, below {gate.agreement:.1%}")
    if missed and (cause := cause_in_words(bundle, run)):
        missed.append(cause)
    return verdict.model_copy(
        update={
            "proof": run.proof,
            "passed": not missed,
            "reason": "; ".join(missed or [f"{len(case_runs)} images of {len(cases)} golden cases", *run.notes]),
            "images": len(case_runs),
            "snr_db": lowest[0] if lowest else None,
            "agreement": agreement.share,
            "times": run.times,
            "slower": run.slower,
        }
    )


def _differences(
    case_runs: dict[tuple[str, str], CaseRun], cases: list[GoldenCase], spec: ModelSpec, gate: Gate
) -> tuple[list[str], Agreement]:
    """Sentences about missing cases and cases with another input tensor or invalid answers; and how answers agree."""
    missing: list[str] = []
    different_input: list[str] = []
    invalid_answers: list[str] = []
    agreement = Agreement(spec.task, gate.iou)
    for case in cases:
        tensor = hashlib.sha256(case.tensor.tobytes()).hexdigest()
        for image in ("rgb", *([case.yuv.layout] if case.yuv else [])):
            run = case_runs.get((case.id, image))
            if run is None:
                missing.append(f"{case.id} ({image})")
                continue
            if run.tensor_sha256 != tensor:
                different_input.append(f"{case.id} ({image})")
            if all(_fits(spec, stored) for stored in run.answers):
                agreement.add(case.answers, [stored.answer() for stored in run.answers])
            else:
                invalid_answers.append(f"{case.id} ({image})")
    problems = (
        ("has no result of golden case", missing),
        ("the app makes another input tensor of golden case", different_input),
        ("the app's labels or boxes are not of this model's kind in golden case", invalid_answers),
    )
    return [f"{problem} {_first(names)}" for problem, names in problems if names], agreement


def _fits(spec: ModelSpec, answer: StoredAnswer) -> bool:
    known_label = 0 <= answer.index < len(spec.labels) and answer.label == spec.labels[answer.index]
    return known_label and (answer.box is not None) == TASKS[spec.task].has_boxes


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
