"""Figures and facts of a bundle as text for people: one place for units, rounding and wording."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from samesight.contract.bundle import Bundle
from samesight.contract.gates import GATES
from samesight.contract.golden import GoldenCase
from samesight.contract.manifest import CALIBRATION
from samesight.contract.spec import Crop, Input, Letterbox, ModelSpec
from samesight.contract.tasks import TASKS
from samesight.contract.verdicts import Verdict
from samesight.conversion.runners import runners_of
from samesight.conversion.tasks import METRIC_TITLES

State = Literal["pass", "fail", "not-run"]
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Fact:
    """One line of a list of facts; `detail` explains it in smaller letters."""

    name: str
    value: str
    detail: str = ""


def state_of(passed: bool | None) -> State:
    """None means that it did not run."""
    return "not-run" if passed is None else "pass" if passed else "fail"


def percent(share: float, digits: int = 1) -> str:
    """A share 0..1 in percent; one that is not whole is never rounded to 100 %."""
    text = f"{100 * share:.{digits}f}%"
    return f"{100 - 10**-digits:.{digits}f}%" if share < 1.0 and text == f"{100:.{digits}f}%" else text


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, a true minus, and no sign for zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0.0 else text.replace("-", MINUS)


def size(count: int) -> str:
    """Bytes in decimal units."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.0f} KB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def format_decibels(value: float | None) -> str:
    """A ratio; None is an exact copy."""
    return "exact" if value is None else f"{value:.1f}".replace("-", MINUS)


def milliseconds(value: float) -> str:
    """A latency with three significant digits."""
    return f"{value:.3f} ms" if value < 1 else f"{value:.2f} ms" if value < 100 else f"{value:.0f} ms"


def metric_title(name: str) -> str:
    """The title of the task metric in texts for people."""
    return METRIC_TITLES.get(name, name)


def plural(count: int, singular: str, plural_form: str | None = None) -> str:
    """A count with its noun."""
    return f"{count} {singular if count == 1 else plural_form or singular + 's'}"


def model_facts(
    bundle: Bundle, cases: Sequence[GoldenCase], images: int | None, more: Sequence[Fact] = ()
) -> list[Fact]:
    """Facts about the model, its data and the images it is judged on; `more` are those of its task."""
    spec, data = bundle.spec, bundle.manifest.data
    facts = [
        Fact("Task", spec.task),
        Fact(
            "Input",
            input_text(spec.input),
            framing_sentence(spec.input),
        ),
        Fact("Values", _values(spec.input), "artifacts take 0..255: this step is inside them"),
        Fact("Outputs", ", ".join(spec.roles), f"activation after the network: {spec.outputs.activation}"),
    ]
    facts += more
    if data is None:
        facts.append(Fact("Data", "golden cases only", "the bundle was made without a test split"))
    else:
        facts.append(Fact("Data", data.source, f"{data.split} split, seed {data.seed}"))
        if data.metric is not None and data.metric_name:
            detail = f"on {plural(images, 'test image')}" if images else ""
            facts.append(Fact("Server model", f"{metric_title(data.metric_name)} {data.metric:.4f}", detail))
    return [*facts, _golden_fact(cases)]


def input_text(spec: Input) -> str:
    """Size and channels of the input."""
    return f"{spec.width} {TIMES} {spec.height} {'grey' if spec.channels == 'grey' else spec.channels.upper()}"


def framing_sentence(spec: Input) -> str:
    """What framing and resizing do to an image."""
    if isinstance(spec.framing, Crop):
        rule = f"crop: shorter side to {spec.framing.resize_shorter}, then the middle"
    elif isinstance(spec.framing, Letterbox):
        rule = f"letterbox: aspect kept, border of level {spec.framing.pad}"
    else:
        rule = "stretch: the whole image, whatever its aspect"
    return f"{rule}; {spec.filter}, antialiased"


def _values(spec: Input) -> str:
    low, high = spec.value_range
    mean, std = (_same_once(values) for values in (spec.mean, spec.std))
    return f"{low:g}..{high:g}, mean {mean}, std {std}"


def _same_once(values: Sequence[float]) -> str:
    texts = [f"{value:.4g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _golden_fact(cases: Sequence[GoldenCase]) -> Fact:
    turned = sum(case.picture.orientation.exif != 1 for case in cases)
    frames = sum(case.yuv is not None for case in cases)
    detail = f"{turned} stored turned or mirrored, {frames} from camera frames (YUV)"
    return Fact("Golden cases", str(len(cases)), detail)


def gate_rows(spec: ModelSpec, verdicts: Sequence[Verdict]) -> list[tuple[str, str, str, str, int]]:
    """Per precision: the gates for SNR, agreement and loss, and how many artifacts here they apply to."""
    used = Counter(verdict.precision for verdict in verdicts)
    rows = []
    for precision, gate in GATES.items():
        boxes = f" (IoU ≥ {gate.iou:g})" if TASKS[spec.task].has_boxes else ""
        rows.append(
            (
                precision,
                f"≥ {gate.snr_db:g} dB",
                f"≥ {100 * gate.agreement:g}%{boxes}",
                f"≤ {100 * gate.metric_drop:g} points",
                used[precision],
            )
        )
    return rows


def tool_rows(bundle: Bundle) -> list[Fact]:
    """Versions of the tools that made the artifacts, by tool; if they differ, with the artifacts of each version."""
    artifacts_by_version: dict[str, dict[str, list[str]]] = {}
    for artifact in bundle.manifest.artifacts:
        for tool, version in artifact.tools.items():
            if tool != CALIBRATION:
                artifacts_by_version.setdefault(tool, {}).setdefault(version, []).append(artifact.name)
    facts = []
    for tool, versions in sorted(artifacts_by_version.items()):
        detail = "; ".join(f"{v}: {', '.join(names)}" for v, names in versions.items()) if len(versions) > 1 else ""
        facts.append(Fact(tool, " / ".join(versions), detail))
    return facts


def calibration_rows(bundle: Bundle) -> list[str]:
    """The steps of int8's calibration, what each bought, and whether it was kept; nothing where there was none."""
    told = (artifact.tools.get(CALIBRATION, "") for artifact in bundle.manifest.artifacts)
    return next((text.split("; ") for text in told if text), [])


def runner_rows(bundle: Bundle) -> list[Fact]:
    """Installed versions of the runtimes of the bundle's artifacts; formats without a runner here are left out."""
    packages = {
        package
        for a in bundle.manifest.artifacts
        for runner in runners_of(a.format, a.unit)
        for package in runner.packages
    }
    return [Fact(package, installed_version(package)) for package in sorted(packages)]


def installed_version(package: str) -> str:
    """The version of an installed distribution."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
