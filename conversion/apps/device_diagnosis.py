"""What is wrong in an app's code whose results on a phone failed."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from samesight.contract.bundle import Bundle
from samesight.contract.device_results import CaseRun, DeviceParity, UnitRun
from samesight.contract.errors import SamesightError
from samesight.contract.golden import GoldenCase
from samesight.contract.image import Picture
from samesight.conversion.parity.diagnose import Diagnosis, diagnose, sureness
from samesight.conversion.parity.given_answers import Answered
from samesight.conversion.parity.run import Progress


def chosen_run(parity: DeviceParity, artifact: str, unit: str | None, file: Path) -> UnitRun:
    """The run of an artifact, on a unit if one is named.

    Raises:
        SamesightError: there is none, or the app did not use that unit.
    """
    runs = [run for run in parity.runs if run.artifact == artifact and unit in (None, run.unit)]
    where = f"{artifact} on the {unit.upper()}" if unit else artifact
    if not runs:
        held = ", ".join(dict.fromkeys(f"{run.artifact} ({run.unit})" for run in parity.runs))
        raise SamesightError(f"{file}: has no results of {where}; it has those of {held}")
    used = [run for run in runs if run.refusal is None]
    if not used:
        raise SamesightError(f"{file}: the app did not run {where}: {runs[0].refusal}")
    return used[0]


def diagnose_run(
    bundle: Bundle,
    run: UnitRun,
    earlier: Mapping[str, Bundle] | None = None,
    progress: Progress = lambda done, total: None,
) -> Diagnosis:
    """What is wrong in a run on the golden images. Where every input tensor is the contract's, the image code is right.

    Raises:
        SamesightError: the run has no golden image, or nothing here runs the artifact.
    """
    cases = {case.id: case for case in bundle.golden_cases()}
    answered: dict[str, CaseRun] = {case.id: case for case in run.cases if case.image == "rgb" and case.id in cases}
    if not answered:
        raise SamesightError(f"the results of {run.artifact} hold no golden image; let the self-test come to its end")
    images = [
        Answered(name, partial(_picture, cases[name]), [stored.answer() for stored in case.answers])
        for name, case in answered.items()
    ]
    tensors_right = all(
        case.tensor_sha256 == hashlib.sha256(cases[name].tensor.tobytes()).hexdigest()
        for name, case in answered.items()
    )
    return diagnose(bundle, bundle.find(run.artifact), images, run.unit, earlier, not tensors_right, progress)


def _picture(case: GoldenCase) -> Picture:
    return case.picture


def cause_in_words(bundle: Bundle, run: UnitRun) -> str | None:
    """The likely cause of a run that failed; None where none is found, or nothing here runs the file."""
    try:
        diagnosis = diagnose_run(bundle, run)
    except SamesightError:
        return None
    if diagnosis.passed or diagnosis.cause is None:
        return None
    return f"likely cause ({sureness(diagnosis.cause.confidence)}): {diagnosis.cause.name}"
