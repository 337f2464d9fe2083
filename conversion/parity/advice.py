"""What to try when an artifact missed its gate, broke or could not be run here: short sentences from one table."""

from samesight.contract.bundle import Bundle
from samesight.contract.gates import STEPS_APART
from samesight.contract.manifest import Artifact
from samesight.contract.verdicts import Verdict, Verdicts
from samesight.conversion.formats import FORMATS, made_alone
from samesight.conversion.precisions import PrecisionName
from samesight.conversion.runners import EVALUATOR, runner_of

MILDER: dict[str, tuple[PrecisionName, ...]] = {
    "fp32": (),
    "fp16": ("fp32",),
    "int8": ("dynamic-int8", "int8-weights", "fp16"),
    "dynamic-int8": ("int8-weights", "fp16"),
    "int8-weights": ("fp16", "fp32"),
    "palette6": ("int8-weights", "fp16"),
    "palette4": ("palette6", "int8-weights", "fp16"),
    "w8a16": ("fp16", "fp32"),
    "int4-weights": ("int8-weights", "fp16"),
    "mixed": ("int8-weights", "fp16"),
}
"""Precisions that lose less than each, those that save most first; for int8 those without quantized activations."""

TRAIN_FOR_INT8 = "fine-tune it for int8 with `samesight train --from RUN --qat --out NEW_RUN` and convert that"
SEARCH = "let `samesight convert … --precision auto` find which layers must not be int8"
MORE_IMAGES = "give --calibration some hundred images such as the phone will see: they set the ranges of int8"


def advise(bundle: Bundle, verdicts: Verdicts) -> dict[str, tuple[str, ...]]:
    """What to try for every artifact that did not pass, by its name, the most promising first."""
    return {
        verdict.name: tried
        for verdict in verdicts.artifacts
        if not verdict.passed and (tried := _advice(bundle, verdict, verdicts))
    }


def _advice(bundle: Bundle, verdict: Verdict, verdicts: Verdicts) -> tuple[str, ...]:
    artifact = bundle.find(verdict.name)
    if not verdict.roles:
        return _to_run(artifact)
    tried = []
    if verdict.steps_apart is not None and verdict.steps_apart > STEPS_APART:
        tried.append("take an int8 artifact that passed: this one's runtime or converter computes otherwise")
    elif verdict.precision == "int8":
        tried.append(TRAIN_FOR_INT8 if bundle.manifest.data else MORE_IMAGES)
        tried += [] if made_alone(artifact.format, artifact.tools) else [SEARCH]
    tried += _other_precisions(artifact, verdicts)
    if runner_of(artifact.format, artifact.unit).title == EVALUATOR:
        tried.append(
            f"`samesight coreml compare {bundle.path(artifact)} --against RUN --layers` names the layer that departs"
        )
    elif verdict.precision == "fp32":
        tried.append("its converter or runtime is at fault, not its precision: take another format that passed")
    return tuple(tried)


def _other_precisions(artifact: Artifact, verdicts: Verdicts) -> list[str]:
    """The milder precisions of the same format: those that passed by name, else how to make them."""
    milder = MILDER.get(artifact.precision, ())
    same = [v for v in verdicts.artifacts if v.format == artifact.format and v.precision in milder]
    passed = [v.name for v in sorted(same, key=lambda v: v.bytes) if v.passed]
    if passed:
        return [f"take {' or '.join(passed)}, which passed"]
    judged = {v.precision for v in same}
    held = FORMATS[artifact.format].precisions if artifact.format in FORMATS else ()
    makeable = [name for name in milder if name in held and name not in judged]
    if not makeable:
        return []
    suffix = FORMATS[artifact.format].suffix.lstrip(".")
    return [f"make a milder one: `samesight convert … --to {suffix} --precision {','.join(makeable)}`"]


def _to_run(artifact: Artifact) -> tuple[str, ...]:
    """For one that nothing here runs, or that its runtime refused."""
    runner = runner_of(artifact.format, artifact.unit)
    if requirement := runner.requirement():
        return (f"pip install '{requirement}', then verify it again",)
    if runner.missing():
        return ()  # the reason says what to do
    return (
        f"convert it again with --no-cache, with {runner.packages[0]} up to date; if it breaks again, take another",
    )
