"""The verdict at a glance: the headline, and the few figures that sum a bundle up."""

from collections.abc import Sequence
from dataclasses import dataclass

from samesight.contract.verdicts import Verdicts
from samesight.conversion.report.apps import AppRow
from samesight.conversion.report.table import Row
from samesight.conversion.report.targets import TargetRow
from samesight.conversion.report.text import Fact, State, metric_title, milliseconds, percent, plural, size
from samesight.conversion.runners.bench import Latencies


@dataclass(frozen=True)
class Banner:
    """The headline of the page; `state` is not-run where nothing could be run at all."""

    state: State
    word: str
    sentence: str
    failed: tuple[Row, ...]
    doubtful: tuple[Row, ...]
    absent: tuple[Row, ...]
    apps: tuple[AppRow, ...]
    targets: tuple[TargetRow, ...] = ()


def make_banner(rows: Sequence[Row], apps: Sequence[AppRow] = (), targets: Sequence[TargetRow] = ()) -> Banner:
    """The headline; a bundle of which nothing ran is not called passed.

    `apps` and `targets` of the result are those that failed.
    """
    ran = [row for row in rows if row.state != "not-run"]
    failed = tuple(row for row in rows if row.state == "fail")
    failed_apps = tuple(row for row in apps if row.state == "fail")
    failed_targets = tuple(row for row in targets if row.state == "fail")
    state: State = "fail" if failed or failed_apps or failed_targets else "pass" if ran else "not-run"
    if not ran:
        sentence = "No artifact of this bundle can be run here, so nothing is known about any of them."
    elif failed:
        verb = "misses a gate" if len(failed) == 1 else "miss a gate"
        sentence = f"{len(failed)} of {plural(len(ran), 'artifact')} that ran {verb} and should not ship."
    elif len(ran) == 1:
        sentence = "The one artifact that ran answers as the server model does, within every gate."
    else:
        sentence = f"All {len(ran)} artifacts that ran answer as the server model does, within every gate."
    doubtful = tuple(row for row in rows if row.inconclusive and row.state == "pass")
    if doubtful and not failed:
        sentence += f" For {len(doubtful)} of {len(ran)}, too few test images stand for the metric to prove its gate."
    if failed_apps:
        sentence += f" In an app's own code, {plural(len(failed_apps), 'run')} of {len(apps)} failed."
    if failed_targets:
        runs = plural(len(failed_targets), "run")
        sentence += f" On a phone's processors, emulated, {runs} of {len(targets)} failed."
    return Banner(
        state=state,
        word={"pass": "Passed", "fail": "Failed", "not-run": "Not verified"}[state],
        sentence=sentence,
        failed=failed,
        doubtful=doubtful,
        absent=tuple(row for row in rows if row.state == "not-run"),
        apps=failed_apps,
        targets=failed_targets,
    )


def make_tiles(verdicts: Verdicts, latencies: Latencies | None) -> list[Fact]:
    """The few figures that sum a bundle up, each with the artifact that it belongs to."""
    judged = [verdict for verdict in verdicts.artifacts if verdict.passed is not None]
    tiles = []
    measured = [(verdict.metric, verdict.name) for verdict in judged if verdict.metric]
    if measured:
        metric, worst = max(measured, key=lambda pair: pair[0].drop)
        images = plural(metric.images, "test image")
        tiles.append(Fact("Server model", percent(metric.server, 2), f"{metric_title(metric.name)} on {images}"))
        # Points at two digits: less than half of the last one is no loss that anybody could see.
        lost = metric.drop >= 5e-5
        loss = f"{100 * metric.drop:.2f} points" if lost else "none"
        tiles.append(Fact("Largest loss", loss, worst if lost else "no artifact scores below the server model"))
    agreeing = [(verdict.agreement, verdict.name) for verdict in judged if verdict.agreement is not None]
    if agreeing:
        share, name = min(agreeing, key=lambda pair: pair[0])
        tiles.append(Fact("Lowest agreement", percent(share), "all artifacts" if share == 1.0 else name))
    small = [(verdict.bytes_ratio, verdict) for verdict in verdicts.artifacts if verdict.bytes_ratio is not None]
    if small:
        ratio, verdict = min(small, key=lambda pair: pair[0])
        tiles.append(Fact("Smallest of its format", f"{ratio:.2f} of fp32", f"{verdict.name}, {size(verdict.bytes)}"))
    if latencies:
        fast = min(latencies.artifacts, key=lambda row: row.median_ms)
        ratio_text = "" if fast.ratio is None else f", {fast.ratio:.2f} of {latencies.reference}"
        tiles.append(Fact("Fastest on this CPU", milliseconds(fast.median_ms), fast.name + ratio_text))
    return tiles
