"""The results of running artifacts here, stored in the cache so that a report need not run them again."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.bundle import Bundle
from samesight.contract.errors import SamesightError, first_line
from samesight.contract.golden import GoldenCase
from samesight.contract.manifest import Artifact
from samesight.contract.spec import Role
from samesight.conversion.npu.words import cannot_run_here
from samesight.conversion.parity.run import (
    Progress,
    Record,
    Share,
    TestSplit,
    artifact_candidate,
    join_shares,
    run_candidates,
)
from samesight.conversion.parity.test_split import find_test_split
from samesight.conversion.qparams import Float32, read_qparams, write_qparams
from samesight.conversion.runners import RUNNERS, runner_of
from samesight.conversion.runners.bench import cpu_name
from samesight.conversion.runners.isolated import IsolatedModel, Runtimes, load_all
from samesight.conversion.workflow.cache import Cache, code_version, make_key, tool_versions

OUTPUTS = "outputs.npz"
RECORDS = "records.json"
SLOW_BUDGET = 60.0
"""Seconds for the test images of an artifact whose runtime is emulated or interpreted here."""


@dataclass(frozen=True)
class Results:
    """The results of running the artifacts of a bundle here.

    `records` has those that loaded (one may have failed later, see `Record.error`). `unable` has, for the others, the
    title of their runner (None where none exists here) and the reason.
    """

    cases: list[GoldenCase]
    split: TestSplit | None
    records: dict[str, Record]
    unable: dict[str, tuple[str | None, str]]


def run_artifacts(
    bundle: Bundle,
    data: str | None = None,
    names: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Results:
    """Run the artifacts of a bundle (all, or those of `names`) over its golden cases and the test split.

    Raises:
        SamesightError: the bundle's golden cases or test data contradict it.
    """
    cases, split = bundle.golden_cases(), find_test_split(bundle, data)
    models, unable = _load_artifacts(bundle, names, most=os.cpu_count() or 1 if split else 1)
    # Each process of an artifact is a candidate of its own: the first by the artifact's name.
    turns = {
        name: {f"{name} {turn}" if turn else name: run for turn, run in enumerate(models[name])} for name in models
    }
    loaded = {key: run for runs in turns.values() for key, run in runs.items()}
    # An NPU's simulator takes the golden cases alone: its arithmetic shows there, and it is slow.
    simulated = {key for key, run in loaded.items() if RUNNERS[run.runner].compiled}
    records: dict[str, Record] = {}
    for keys, images in ((loaded.keys() - simulated, split), (simulated, None)):
        if not keys:
            continue
        records |= run_candidates(
            {key: artifact_candidate(run) for key, run in loaded.items() if key in keys},
            bundle.spec,
            cases,
            images,
            progress,
            lanes={key: id(run.child) for key, run in loaded.items()},
            budgets={name: SLOW_BUDGET for name in models if name in keys and not RUNNERS[loaded[name].runner].timed},
            shares={
                key: Share(name, turn, len(runs))
                for name, runs in turns.items()
                for turn, key in enumerate(runs)
                if key in keys
            },
        )
    joined = {name: join_shares([records[key] for key in runs]) for name, runs in turns.items()}
    for name, record in joined.items():
        record.qparams = loaded[name].qparams
    return Results(cases, split, joined, unable)


def _load_artifacts(
    bundle: Bundle, names: Sequence[str] | None, most: int
) -> tuple[dict[str, list[IsolatedModel]], dict[str, tuple[str | None, str]]]:
    """Each artifact in as many processes as its runner has, up to `most`; and those that are unable, see `Results`."""
    runtimes, models = Runtimes(), dict[str, list[IsolatedModel]]()
    unable: dict[str, tuple[str | None, str]] = {}
    for artifact in _select_artifacts(bundle, names):
        runner = runner_of(artifact.format, artifact.unit)
        if missing := cannot_run_here(artifact) or runner.missing():
            unable[artifact.name] = None, missing
            continue
        count = min(runner.processes, most)
        models[artifact.name] = [runtimes.model(runner, bundle.path(artifact), artifact, turn) for turn in range(count)]
    everything = [(name, model) for name, runs in models.items() for model in runs]
    errors = load_all([model for _, model in everything])
    for (name, model), error in zip(everything, errors, strict=True):
        if error is not None:
            unable[name] = RUNNERS[model.runner].title, f"it does not load: {first_line(error)}"
            models.pop(name, None)
    return models, unable


def save_results(bundle: Bundle, results: Results, cache: Cache) -> None:
    """Store the results of all artifacts of a bundle in the cache; a cache that cannot be written is ignored."""
    stacked = {
        f"{name}/{role}": np.stack([outputs[role] for outputs in record.outputs])
        for name, record in results.records.items()
        for role in (record.outputs[0] if record.outputs else ())
    }
    plain = {name: _plain(record) for name, record in results.records.items()}
    with contextlib.suppress(SamesightError, OSError), tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        np.savez(folder / OUTPUTS, **stacked)  # type: ignore[arg-type]
        (folder / RECORDS).write_text(json.dumps({"records": plain, "unable": results.unable}), encoding="utf-8")
        cache.store(_key(bundle), folder, (OUTPUTS, RECORDS), "results")


def load_results(bundle: Bundle, cache: Cache) -> Results | None:
    """The results that `save_results` stored for this bundle, code, runtimes and processor; None if there are none.

    Raises:
        SamesightError: as in `run_artifacts`.
    """
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        if cache.fetch(_key(bundle), folder) is None:
            return None
        stored = json.loads((folder / RECORDS).read_text(encoding="utf-8"))
        with np.load(folder / OUTPUTS) as stacked:
            arrays = dict(stacked)
    records = {name: _record(name, plain, arrays, bundle.spec.labels) for name, plain in stored["records"].items()}
    unable = {name: (runner, reason) for name, (runner, reason) in stored["unable"].items()}
    return Results(bundle.golden_cases(), find_test_split(bundle), records, unable)


def _key(bundle: Bundle) -> str:
    runtimes = {package for runner in RUNNERS.values() for package in runner.packages}
    return make_key(
        {
            "results": bundle.manifest_sha256(),
            "code": code_version(),
            "tools": tool_versions({*runtimes, "numpy", "pillow"}),
            "cpu": cpu_name(),
            # What is installed in a folder of its own has no version here, and may come later.
            "unable": [row.name for row in RUNNERS.values() if row.compiled and row.missing()],
        }
    )


def _plain(record: Record) -> dict[str, Any]:
    return {
        "golden": [_answer_rows(answers) for answers in record.golden],
        "test": [_answer_rows(answers) for answers in record.test],
        "error": record.error,
        "step": record.step,
        "qparams": write_qparams(record.qparams),
    }


def _record(name: str, plain: dict[str, Any], arrays: dict[str, Float32], labels: Sequence[str]) -> Record:
    roles = get_args(Role)
    stacked: dict[Role, Float32] = {role: arrays[f"{name}/{role}"] for role in roles if f"{name}/{role}" in arrays}
    count = min((len(array) for array in stacked.values()), default=0)
    return Record(
        outputs=[{role: array[number] for role, array in stacked.items()} for number in range(count)],
        golden=[_answers_from_rows(answers, labels) for answers in plain["golden"]],
        test=[_answers_from_rows(answers, labels) for answers in plain["test"]],
        error=plain["error"],
        step=plain["step"],
        qparams=read_qparams(plain["qparams"]),
    )


def _answer_rows(answers: Iterable[Answer]) -> list[list[Any]]:
    return [[answer.index, answer.score, answer.box] for answer in answers]


def _answers_from_rows(rows: Iterable[list[Any]], labels: Sequence[str]) -> list[Answer]:
    return [Answer(labels[index], index, score, box and tuple(box)) for index, score, box in rows]


def _select_artifacts(bundle: Bundle, names: Sequence[str] | None) -> list[Artifact]:
    return [bundle.find(name) for name in names] if names else list(bundle.manifest.artifacts)
