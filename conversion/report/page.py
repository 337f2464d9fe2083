"""The content of a report's page as plain values and texts; the template only lays it out."""

from collections.abc import Sequence
from dataclasses import dataclass

from samesight.contract.bundle import Bundle
from samesight.contract.spec import ModelSpec
from samesight.contract.verdicts import Verdict, Verdicts
from samesight.conversion.network_checks.costs import artifact_costs
from samesight.conversion.parity.layer_view import LayerView
from samesight.conversion.parity.results import Results
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.quantization.recipe import find_recipe
from samesight.conversion.report.apps import AppRow, make_app_rows, phones
from samesight.conversion.report.charts import Scatter, scatter
from samesight.conversion.report.costs import CostRow, make_cost_rows
from samesight.conversion.report.gallery import Shot, golden_shots
from samesight.conversion.report.layers import LayerChart, make_layer_charts
from samesight.conversion.report.panels import Shown
from samesight.conversion.report.recipe import RecipePicture, make_recipe_picture
from samesight.conversion.report.summary import Banner, make_banner, make_tiles
from samesight.conversion.report.table import Row, make_rows
from samesight.conversion.report.targets import TargetRow, make_target_rows
from samesight.conversion.report.tasks import DRAWINGS
from samesight.conversion.report.tasks.interface import TaskDrawing
from samesight.conversion.report.test_split import SplitFigures, split_figures
from samesight.conversion.report.text import (
    Fact,
    calibration_rows,
    gate_rows,
    input_text,
    metric_title,
    model_facts,
    runner_rows,
    tool_rows,
)
from samesight.conversion.runners.bench import Latencies

# Longer labels are placed above their scores, not beside them.
SHORT_LABEL = 6


@dataclass(frozen=True)
class Machine:
    """The machine on which the page was made: the processor's name, and the system as `Linux x86_64`."""

    cpu: str
    system: str


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    spec: ModelSpec
    input: str
    machine: Machine
    banner: Banner
    tiles: list[Fact]
    rows: list[Row]
    apps: list[AppRow]
    targets: list[TargetRow]
    costs: list[CostRow]
    layers: list[LayerChart]
    recipe: RecipePicture | None
    phones: list[str]
    metric: str | None
    latencies: Latencies | None
    facts: list[Fact]
    scatter: Scatter | None
    images: int
    shots: list[Shot]
    first_shots: int
    shown: list[Shown]
    focus: int | None
    split: SplitFigures | None
    long_labels: bool
    drawing: TaskDrawing
    gates: list[tuple[str, str, str, str, int]]
    calibration: list[str]
    tools: list[Fact]
    runners: list[Fact]
    manifest_sha256: str
    samesight: str


def make_page(
    bundle: Bundle,
    results: Results,
    verdicts: Verdicts,
    latencies: Latencies | None,
    machine: Machine,
    layers: LayerView | None = None,
) -> Page:
    """Compute everything that the page shows."""
    spec, split, drawing = bundle.spec, results.split, DRAWINGS[bundle.spec.task]
    rows, apps = make_rows(bundle, verdicts, latencies), make_app_rows(verdicts.apps)
    targets = make_target_rows(verdicts.targets)
    metric = next((verdict.metric for verdict in verdicts.artifacts if verdict.metric), None)
    shown = [_shown(number, verdict, results) for number, verdict in enumerate(verdicts.artifacts)]
    focus = _focus(verdicts.artifacts, shown)
    return Page(
        spec=spec,
        input=input_text(spec.input),
        machine=machine,
        banner=make_banner(rows, apps, targets),
        tiles=make_tiles(verdicts, latencies),
        rows=rows,
        apps=apps,
        targets=targets,
        costs=make_cost_rows(artifact_costs(bundle)),
        layers=make_layer_charts(layers),
        recipe=make_recipe_picture(find_recipe(bundle.folder)),
        phones=phones(verdicts.apps),
        metric=metric_title(metric.name) if metric else None,
        latencies=latencies,
        images=metric.images if metric else 0,
        facts=model_facts(bundle, results.cases, len(split.examples) if split else None, drawing.facts(spec)),
        scatter=scatter(verdicts.artifacts),
        shots=golden_shots(results.cases, shown, spec),
        first_shots=drawing.first_shots,
        shown=shown,
        focus=focus,
        split=split_figures(split, shown, focus, verdicts.artifacts, spec) if split else None,
        long_labels=max(len(label) for label in spec.labels) > SHORT_LABEL,
        drawing=drawing,
        gates=gate_rows(spec, verdicts.artifacts),
        calibration=calibration_rows(bundle),
        tools=tool_rows(bundle),
        runners=runner_rows(bundle),
        manifest_sha256=verdicts.manifest_sha256,
        samesight=bundle.manifest.samesight,
    )


def _shown(number: int, verdict: Verdict, results: Results) -> Shown:
    record = results.records.get(verdict.name)
    if record is None:
        why_not = results.unable.get(verdict.name, (None, "it was not run when this page was made"))[1]
    else:
        why_not = f"it did not run: {record.error}" if record.error else ""
    return Shown(number, verdict.name, verdict.precision, record, why_not)


def _focus(verdicts: Sequence[Verdict], shown: Sequence[Shown]) -> int | None:
    """The artifact of the smallest precision that loses most; None where none ran."""

    def loss(number: int) -> tuple[float, float]:
        verdict = verdicts[number]
        return (
            verdict.metric.drop if verdict.metric else 0.0,
            -(verdict.agreement if verdict.agreement is not None else 1.0),
        )

    # An NPU's simulator runs the golden cases alone; where others ran on test images, these say more.
    tested = any(verdict.metric for verdict in verdicts)
    ran = [n for n, artifact in enumerate(shown) if artifact.ran and (verdicts[n].metric or not tested)]
    for precision in sorted(PRECISIONS, key=lambda name: -PRECISIONS[name].interest):
        numbers = [n for n in ran if shown[n].precision == precision]
        if numbers:
            return max(numbers, key=lambda number: (*loss(number), -number))
    return None
