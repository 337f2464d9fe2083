"""The jobs of workers, and the cache's key of each item."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from samesight.contract.errors import UsageError
from samesight.contract.files import file_sha256
from samesight.contract.manifest import Artifact
from samesight.conversion.environments import MAIN, pins_of
from samesight.conversion.npu.chips import MAKERS
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.quantization.schemes import held_by
from samesight.conversion.sources.source import ModelSource, data_fingerprint, images_sha256, program_sha256
from samesight.conversion.workflow.cache import code_version, make_key, tool_versions
from samesight.conversion.workflow.mixing import MAX_DROP, MIXED, Mixing
from samesight.conversion.workflow.plan import Target
from samesight.conversion.workflow.search_job import SearchJob
from samesight.conversion.workflow.worker import CHECKS, GOLDEN, CompileJob, Job, TargetJob

SHARED_TOOLS = ("torch", "torchao", "numpy", "pillow")
GOLDEN_TOOLS = ("scikit-learn", "torchvision")


def make_job(
    source: ModelSource,
    network: Path,
    targets: Sequence[Target],
    scratch: Callable[[str], Path],
    made: Mapping[str, tuple[Artifact, Path]] = MappingProxyType({}),
    recipe: Path | None = None,
    kept: Path | None = None,
) -> Job:
    """The job of making `targets`, each written below the folder `place(name)` under its path in the bundle.

    `made` has the artifacts by name, and their files, from which others are compiled; `recipe` is that of mixed ones;
    `kept` is the file of the calibration that they share.
    """
    outputs = {target.name: scratch(target.name) / target.file for target in targets}
    for output in outputs.values():
        output.parent.mkdir(parents=True)
    return Job(
        spec=source.spec,
        environment=targets[0].environment if targets else MAIN,
        network=str(network),
        folder=str(source.folder),
        calibration=tuple(str(path) for path in source.calibration),
        ranges=str(source.ranges) if source.ranges else None,
        kept_calibration=str(kept) if kept else None,
        recipe=str(recipe) if recipe else None,
        targets=tuple(
            TargetJob(
                name=target.name,
                file=target.file,
                format=target.format.name,
                precision=target.precision,
                output=str(outputs[target.name]),
                compile=_compile_job(target, made),
            )
            for target in targets
        ),
    )


def built_from(source: ModelSource) -> dict[str, object]:
    """The fields of a job that builds and exports a source's network first."""
    return {
        "function": source.function,
        "weights": str(source.weights.resolve()) if source.weights else None,
        "random_weights": source.random_weights,
    }


def _compile_job(target: Target, made: Mapping[str, tuple[Artifact, Path]]) -> CompileJob | None:
    if target.chip is None or target.source is None:
        return None
    artifact, path = made[target.source]
    return CompileJob(
        chip=target.chip.name, source=artifact, path=str(path), tools=MAKERS[target.chip.maker].versions()
    )


def search_job(source: ModelSource, mixing: Mixing, targets: Sequence[Target], output: Path) -> SearchJob:
    """The search of a recipe that every mixed artifact can be made by.

    Raises:
        UsageError: a budget for a metric that cannot be measured.
    """
    if mixing.max_drop is not None and source.data is None:
        raise UsageError(
            f"--max-drop: {source.title} has no labelled images to measure points on (a run has); leave it out, and "
            "the search keeps what the gates ask for on the calibration images"
        )
    formats = {target.format.name for target in targets if target.precision == MIXED}
    data = source.data
    return SearchJob(
        output=str(output),
        schemes=held_by(formats),
        max_drop=MAX_DROP if mixing.max_drop is None else mixing.max_drop,
        max_bytes=mixing.max_bytes,
        source=data.source if data else None,
        seed=data.seed if data else 0,
        skip_damaged=bool(data and data.skip_damaged),
    )


def search_key(source: ModelSource, network: Path, job: SearchJob) -> str:
    """The cache's key of a recipe."""
    return make_key(
        {
            **_shared_parts(source, network),
            **_calibrated_parts(source),
            "search": job.model_dump(mode="json", exclude={"output"}),
            "data": data_fingerprint(source.data) or "",
            "own tools": tool_versions(GOLDEN_TOOLS),
        }
    )


def calibration_key(source: ModelSource, network: Path) -> str:
    """The cache's key of a calibration."""
    return make_key({**_shared_parts(source, network), **_calibrated_parts(source), "kind": "calibration"})


def _shared_parts(source: ModelSource, network: Path) -> dict[str, object]:
    return {
        "code": code_version(),
        "network": program_sha256(network),
        "spec": source.spec.to_json(),
        "tools": tool_versions(SHARED_TOOLS),
    }


def _calibrated_parts(source: ModelSource) -> dict[str, object]:
    return {
        "calibration": images_sha256(source.calibration),
        "ranges": file_sha256(source.ranges) if source.ranges else "",
    }


def make_keys(
    source: ModelSource, network: Path, targets: Sequence[Target], recipe: Path | None = None
) -> dict[str, str]:
    """The cache's key of each item: a hash over the content of everything it depends on."""
    shared, calibrated = _shared_parts(source, network), _calibrated_parts(source)
    image_hash = calibrated["calibration"]
    keys = {
        GOLDEN: make_key(
            {
                **shared,
                "data": data_fingerprint(source.data),
                "calibration": image_hash,
                "own tools": tool_versions(GOLDEN_TOOLS),
            }
        ),
        CHECKS: make_key({**shared, "checks": image_hash}),
    }
    if source.onnx:
        # It answers as the server model itself, besides its weights in other files, which the network has.
        keys[GOLDEN] = make_key([keys[GOLDEN], file_sha256(source.onnx)])
    for target in targets:
        if target.chip and target.source:
            tools = MAKERS[target.chip.maker].versions()
            keys[target.name] = make_key({"source": keys[target.source], "chip": target.chip.name, "own tools": tools})
            continue
        target_parts = {"format": target.format.name, "precision": target.precision}
        parts = {**shared, **target_parts, "own tools": tool_versions(target.format.packages)}
        if pins := pins_of(target.format.environment):
            parts["pins"] = pins
        if recipe and target.precision == MIXED:
            parts["recipe"] = file_sha256(recipe)
        keys[target.name] = make_key({**parts, **calibrated} if PRECISIONS[target.precision].calibrated else parts)
    return keys
