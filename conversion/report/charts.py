"""The chart of accuracy over size: positions of points, ticks and labels, which the template draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from samesight.contract.verdicts import Verdict
from samesight.conversion.report.text import metric_title, percent, size

CLUSTER_WIDTH = 52.0
CLUSTER_HEIGHT = 7.0
# Average width of a letter of 12.5 units in a sans-serif face; only the positions of labels depend on it.
LETTER_WIDTH = 6.8


@dataclass(frozen=True)
class Plot:
    """A drawing's frame in its own units: its corners, ticks as (position, text), and the value at its lower edge."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    y_low: float = 0.0


@dataclass(frozen=True)
class Point:
    """One artifact in the plot of accuracy over size."""

    x: float
    y: float
    precision: str
    title: str


@dataclass(frozen=True)
class Tag:
    """A label around (x, y) of the points around (point_x, point_y), with a line between them if `far`."""

    x: float
    y: float
    point_x: float
    point_y: float
    far: bool
    text: str


@dataclass(frozen=True)
class Scatter:
    """Accuracy over size: the server model is the line at `server`."""

    plot: Plot
    points: tuple[Point, ...]
    tags: tuple[Tag, ...]
    server: float
    metric: str


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) within low..high."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * number, 10) for number in range(first, last + 1)]


def scatter(verdicts: Sequence[Verdict], width: float = 480.0, height: float = 290.0) -> Scatter | None:
    """Accuracy over size of all artifacts with a metric; None where there is none."""
    measured = [(verdict, verdict.metric) for verdict in verdicts if verdict.metric]
    if not measured:
        return None
    server = measured[0][1].server
    values = [100 * metric.artifact for _, metric in measured] + [100 * server]
    margin = max(0.25 * (max(values) - min(values)), 0.5)
    low, high = max(0.0, min(values) - margin), min(100.0, max(values) + margin)
    largest_size = 1.08 * max(verdict.bytes for verdict, _ in measured)
    left, top, right, bottom = 52.0, 16.0, width - 14, height - 44
    size_unit, scale = ("KB", 1e3) if largest_size < 1e6 else ("MB", 1e6)

    def plot_position(count: float, value: float) -> tuple[float, float]:
        # Shares first: the whole is then exactly one, and its point exactly on the edge.
        return left + (right - left) * (count / largest_size), bottom - (bottom - top) * ((value - low) / (high - low))

    x_ticks = [
        (plot_position(tick * scale, low)[0], f"{tick:g} {size_unit}" if tick else "0")
        for tick in nice_ticks(0, largest_size / scale)
    ]
    y_ticks = [(plot_position(0, tick)[1], f"{tick:g}%") for tick in nice_ticks(low, high, 4)]
    points = tuple(
        Point(
            *plot_position(verdict.bytes, 100 * metric.artifact),
            verdict.precision,
            f"{verdict.name}: {percent(metric.artifact, 2)}, {size(verdict.bytes)}",
        )
        for verdict, metric in measured
    )
    plot = Plot(width, height, left, top, right, bottom, tuple(x_ticks), tuple(y_ticks))
    texts = [(verdict.precision, verdict.name.rsplit(".", 1)[-1]) for verdict, _ in measured]
    line = plot_position(0, 100 * server)[1]
    return Scatter(plot, points, _tags(points, texts, plot, line), line, metric_title(measured[0][1].name))


def _clusters(points: Sequence[Point]) -> list[list[int]]:
    """Positions of points of one precision that lie so near that they share a label, each from left to right."""
    clusters: list[list[int]] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i].precision, points[i].x, points[i].y)):
        point = points[index]
        for cluster in clusters:
            last = points[cluster[-1]]
            is_near = abs(last.x - point.x) < CLUSTER_WIDTH and abs(last.y - point.y) < CLUSTER_HEIGHT
            if is_near and last.precision == point.precision:
                cluster.append(index)
                break
        else:
            clusters.append([index])
    return clusters


def _tags(points: Sequence[Point], texts: Sequence[tuple[str, str]], plot: Plot, server_line: float) -> tuple[Tag, ...]:
    """One label per cluster, at the nearest of a few places where it covers no point, no label and not the line."""
    occupied = [(point.x - 7, point.y - 7, point.x + 7, point.y + 7) for point in points]
    occupied.append((plot.left, server_line - 2, plot.right, server_line + 2))
    tags = []
    for cluster in sorted(_clusters(points), key=lambda cluster: (len(cluster), points[cluster[0]].x)):
        members = [points[i] for i in cluster]
        x = sum(point.x for point in members) / len(members)
        y = sum(point.y for point in members) / len(members)
        text = f"{texts[cluster[0]][0]} {' '.join(dict.fromkeys(f'.{texts[i][1]}' for i in sorted(cluster)))}"
        half_width = LETTER_WIDTH * len(text) / 2
        reach = (members[-1].x - members[0].x) / 2 + 12 + half_width
        offsets = [(reach, 0.0), (-reach, 0.0)]
        shift = min(max(x, plot.left + half_width), plot.right - half_width) - x
        offsets += [(shift, direction * (17.0 + 15 * step)) for step in range(9) for direction in (-1, 1)]
        boxes = [(x + dx - half_width, y + dy - 8, x + dx + half_width, y + dy + 8) for dx, dy in offsets]
        inside = [
            plot.left <= left and right <= plot.right + 10 and plot.top - 10 <= top and bottom <= plot.bottom
            for left, top, right, bottom in boxes
        ]
        free = (
            number
            for number, box in enumerate(boxes)
            if inside[number] and not any(_overlap(box, box_taken) for box_taken in occupied)
        )
        best = next(free, 2)
        occupied.append(boxes[best])
        tags.append(Tag(x + offsets[best][0], y + offsets[best][1], x, y, abs(offsets[best][1]) > 20, text))
    return tuple(tags)


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
