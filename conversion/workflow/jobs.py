"""The jobs of workers, and the cache's key of each item."""

from collections.abc import Callable, Sequence
from pathlib import Path

from samesight.contract.files import file_sha256
from samesight.conversion.environments import MAIN, pins_of
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.sources.source import ModelSource, data_fingerprint, images_sha256, program_sha256
from samesight.conversion.workflow.cache import code_version, make_key, tool_versions
from samesight.conversion.workflow.plan import Target
from samesight.conversion.workflow.worker import GOLDEN, Job, TargetJob

SHARED_TOOLS = ("torch", "torchao", "numpy", "pillow")
GOLDEN_TOOLS = ("scikit-learn", "torchvision")


def make_job(source: ModelSource, network: Path, targets: Sequence[Target], scratch: Callable[[str], Path]) -> Job:
    """The job of making `targets`, each written below the folder `place(name)` under its path in the bundle."""
    outputs = {target.name: scratch(target.name) / target.file for target in targets}
    for output in outputs.values():
        output.parent.mkdir(parents=True)
    return Job(
        spec=source.spec,
        environment=targets[0].format.environment if targets else MAIN,
        network=str(network),
        folder=str(source.folder),
        calibration=tuple(str(path) for path in source.calibration),
        ranges=str(source.ranges) if source.ranges else None,
        targets=tuple(
            TargetJob(
                name=target.name,
                file=target.file,
                format=target.format.name,
                precision=target.precision,
                output=str(outputs[target.name]),
            )
            for target in targets
        ),
    )


def make_keys(source: ModelSource, network: Path, targets: Sequence[Target]) -> dict[str, str]:
    """The cache's key of the golden cases and of each target: a hash over the content of everything it depends on."""
    shared = {
        "code": code_version(),
        "network": program_sha256(network),
        "spec": source.spec.to_json(),
        "tools": tool_versions(SHARED_TOOLS),
    }
    image_hash = images_sha256(source.calibration)
    calibrated = {"calibration": image_hash, "ranges": file_sha256(source.ranges) if source.ranges else ""}
    keys = {
        GOLDEN: make_key(
            {**shared, "data": data_fingerprint(source.data) or image_hash, "own tools": tool_versions(GOLDEN_TOOLS)}
        )
    }
    if source.onnx:
        # It answers as the server model itself, besides its weights in other files, which the network has.
        keys[GOLDEN] = make_key([keys[GOLDEN], file_sha256(source.onnx)])
    for target in targets:
        target_parts = {"format": target.format.name, "precision": target.precision}
        parts = {**shared, **target_parts, "own tools": tool_versions(target.format.packages)}
        if pins := pins_of(target.format.environment):
            parts["pins"] = pins
        keys[target.name] = make_key({**parts, **calibrated} if PRECISIONS[target.precision].calibrated else parts)
    return keys
