"""The report's picture of the values inside of artifacts: signal to noise by layer."""

from collections.abc import Sequence
from dataclasses import dataclass

from samesight.conversion.parity.layer_view import ArtifactLayers, LayerView
from samesight.conversion.report.charts import Plot, nice_ticks

WIDTH, HEIGHT = 480.0, 190.0
MOST_DB = 150.0
"""Exact copies are drawn here."""


@dataclass(frozen=True)
class LayerPoint:
    """One value: its place in the drawing, and what it is in words."""

    x: float
    y: float
    title: str
    low: bool


@dataclass(frozen=True)
class LayerChart:
    """One artifact: a point per value in the order of execution, the line between them, and the floor's height.

    `broken` is the first value below the floor in words, `what` how many values were compared.
    """

    name: str
    what: str
    plot: Plot
    points: tuple[LayerPoint, ...]
    path: str
    floor: float
    floor_text: str
    broken: str | None


def make_layer_charts(view: LayerView | None) -> list[LayerChart]:
    """A chart for each artifact whose runtime shows what is inside of it."""
    return [_chart(artifact, view.images) for artifact in view.artifacts if artifact.inside] if view else []


def _chart(artifact: ArtifactLayers, images: int) -> LayerChart:
    figures = [MOST_DB if layer.snr_db is None else min(MOST_DB, layer.snr_db) for layer in artifact.layers]
    low, high = min(0.0, *figures, artifact.floor_db), max(artifact.floor_db, *figures) * 1.05
    left, top, right, bottom = 52.0, 16.0, WIDTH - 14, HEIGHT - 30

    def height(db: float) -> float:
        return bottom - (bottom - top) * (db - low) / (high - low)

    step = (right - left - 12) / max(1, len(figures) - 1)
    points = tuple(
        LayerPoint(left + 6 + step * number, height(db), _title(artifact, number), db < artifact.floor_db)
        for number, db in enumerate(figures)
    )
    ticks = tuple((height(tick), f"{tick:g} dB") for tick in nice_ticks(low, high, 4))
    return LayerChart(
        name=artifact.artifact,
        what=f"{len(artifact.layers)} of {artifact.values} values in {artifact.runner}, over {images} images",
        plot=Plot(WIDTH, HEIGHT, left, top, right, bottom, (), ticks, low),
        points=points,
        path=_path(points),
        floor=height(artifact.floor_db),
        floor_text=f"{artifact.floor_db:g} dB",
        broken=None if artifact.first is None else _title(artifact, artifact.first),
    )


def _title(artifact: ArtifactLayers, number: int) -> str:
    layer = artifact.layers[number]
    figure = "an exact copy" if layer.snr_db is None else f"{layer.snr_db:.1f} dB"
    return f"{layer.module}, {layer.operator}: {figure}"


def _path(points: Sequence[LayerPoint]) -> str:
    return "M" + "L".join(f"{point.x:.2f} {point.y:.2f}" for point in points) if points else ""
