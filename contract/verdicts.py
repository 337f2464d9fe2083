"""parity.json: the verdict on every artifact of one bundle, with every figure."""

from collections.abc import Iterable
from typing import Literal

from samesight.contract.device_results import Proof, Times
from samesight.contract.documents import Document, Int32, Int64, Strict
from samesight.contract.manifest import Sha256, Unit


class RoleFigures(Strict):
    """Signal-to-noise ratios of one raw output against the server model, in dB.

    `snr_db` pools all cases and positions, `worst_db` is the lowest of the cases; `answering_db` pools only positions
    whose score reaches the threshold (detection). None stands for an exact copy (infinite ratio) together with
    `exact`, or for a figure that does not exist.
    """

    role: str
    exact: bool
    snr_db: float | None
    worst_db: float | None
    answering_db: float | None = None
    largest_error: float


class MetricFigures(Strict):
    """The task metric on the test split: top-1 or mAP50, both 0..1, with a paired 95 % interval of the drop.

    `drop_high` has the rule of three where no image shows a loss, see `docs/parity.md`.
    """

    name: str
    images: Int32
    server: float
    artifact: float
    drop: float
    drop_low: float
    drop_high: float


Severity = Literal["wrong", "fails", "slow"]


class FaultWarning(Strict):
    """A fault of a runtime that was reported publicly and whose pattern an artifact has. It fails nothing.

    `severity`: `wrong` values without an error, it `fails` to load or to run, or it is `slow` because the unit does not
    take the operator. `units` are those it was seen on. `operators` names the first of the `count` operators that have
    the pattern. `versions` says in which it was seen and in which it is mended, `remedy` what avoids it, `source` where
    it was reported.
    """

    id: str
    title: str
    severity: Severity
    units: tuple[Unit, ...]
    versions: str
    operators: tuple[str, ...]
    count: Int32
    remedy: str
    source: str


class Verdict(Strict):
    """One artifact against the server model.

    `passed` is None where nothing here can run the artifact; `reason` says why. `inconclusive`: the interval of the
    metric's drop crosses the gate, so more test images are needed to be sure of `passed`. `steps_apart`: mean distance
    of an int8 artifact's outputs from those of the nearest other int8 artifact, in steps; `largest_steps_apart` the
    largest single one. `warnings` are known faults of phones' runtimes; they do not count for `passed`.
    """

    name: str
    format: str
    precision: str
    unit: Unit
    runner: str | None
    passed: bool | None
    inconclusive: bool = False
    reason: str
    cases: Int32
    roles: tuple[RoleFigures, ...] = ()
    agreement: float | None = None
    mean_iou: float | None = None
    score_difference: float | None = None
    steps_apart: float | None = None
    largest_steps_apart: float | None = None
    metric: MetricFigures | None = None
    bytes: Int64
    bytes_ratio: float | None = None
    warnings: tuple[FaultWarning, ...] = ()

    @property
    def snr_db(self) -> float | None:
        """The lowest pooled ratio over the raw outputs; None where all are exact or nothing ran."""
        return min((role.snr_db for role in self.roles if role.snr_db is not None), default=None)


class AppVerdict(Strict):
    """One artifact on one unit in an app's own code, against the server model on the golden cases.

    `passed` is None for a unit that the app refuses and so does not use; `reason` says why. `proof`, `times`, `slower`
    and `delegates` are those of `samesight.contract.device_results.UnitRun`.
    """

    app: str
    device: str
    system: str
    name: str
    unit: Unit
    proof: Proof | None = None
    passed: bool | None
    reason: str
    images: Int32 = 0
    snr_db: float | None = None
    agreement: float | None = None
    times: Times | None = None
    slower: bool = False
    delegates: tuple[str, ...] = ()


class TargetVerdict(Strict):
    """One artifact on what plays a phone's CPU, GPU or NPU on this computer, on the golden cases.

    `target` is what was asked for, `runner` what played it, `title` the same for people. `note` is what the runner says
    of it: the GPU's name, or how much of the network an NPU took. `equal` is the share of an int8 artifact's output
    values that are this computer's own, `near` of those within two steps of it.
    """

    target: str
    runner: str
    title: str
    name: str
    unit: Unit
    passed: bool
    reason: str
    images: Int32 = 0
    snr_db: float | None = None
    agreement: float | None = None
    equal: float | None = None
    near: float | None = None
    note: str = ""


def failures(
    artifacts: Iterable[Verdict], apps: Iterable[AppVerdict] = (), targets: Iterable[TargetVerdict] = ()
) -> dict[str, str]:
    """Name to reason of the artifacts that failed here, in an app or on a target; the bundle has passed without any."""
    failed = {verdict.name: verdict.reason for verdict in artifacts if verdict.passed is False}
    failed |= {verdict.name: f"in an app, {verdict.reason}" for verdict in apps if verdict.passed is False}
    return failed | {verdict.name: f"on {verdict.title}, {verdict.reason}" for verdict in targets if not verdict.passed}


class Verdicts(Document):
    """All verdicts on the bundle whose manifest has this hash; for another manifest they mean nothing.

    `apps` has the verdicts on apps' own code, on this computer or on phones; `targets` those on what plays a phone's
    processors here.
    """

    schema_version: Literal[2] = 2
    manifest_sha256: Sha256
    passed: bool
    artifacts: tuple[Verdict, ...]
    apps: tuple[AppVerdict, ...] = ()
    targets: tuple[TargetVerdict, ...] = ()
