"""Proposes the spec of a source: a library's own, or one by what the network gives in a child process."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from samesight.contract.documents import first_problem, read_document
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.spec import Crop, Framing, Input, Letterbox, Stretch
from samesight.conversion.child_process import child_environment, death_reason
from samesight.conversion.sources import hugging_face
from samesight.conversion.sources.library import Wishes, is_named, propose_spec, spec_name
from samesight.conversion.sources.proposal import Proposal, Remark, propose
from samesight.conversion.sources.source import KINDS, ONNX, Request
from samesight.conversion.workflow.look import LOOK, OUTPUTS, REFUSAL, Look, LookRequest

FramingName = Literal["stretch", "crop", "letterbox"]
# torchvision's usual evaluation: a shorter side of 256 for a crop of 224.
CROP_PERCENTAGE = 0.875


@dataclass(frozen=True)
class Known:
    """What a person knows about a network; None where they do not say."""

    size: tuple[int, int] | None = None
    labels: Sequence[str] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    framing: FramingName | None = None
    name: str | None = None


def propose_for(source: str, known: Known, weights: Path | None = None) -> Proposal:
    """The spec of a `.pt2` or `.onnx` file, a function or a library's network, with remarks about how sure it is.

    Raises:
        UsageError: no such source, or an option that does not belong here.
        SamesightError: the network cannot be built or run, or its outputs are of no task of ours.
    """
    path = Path(source)
    if is_named(source) or hugging_face.is_model_folder(path):
        if known.mean or known.std or known.framing:
            raise UsageError(f"{source} has its own normalisation and framing; leave out --mean, --std and --framing")
        wishes = Wishes(known.size, known.labels)
        spec = propose_spec(source, weights, wishes, False) if is_named(source) else hugging_face.propose(path, wishes)
        spec = spec.model_copy(update={"name": known.name}) if known.name else spec
        return Proposal(spec, (Remark("all fields", "certain", "as the library's own preprocessing has it"),))
    if (path / "model.json").is_file():
        raise UsageError(f"{source}: has its spec already: {path / 'model.json'}")
    is_program, is_onnx = path.suffix == ".pt2", path.suffix == ONNX
    if not is_program and not is_onnx and not KINDS[-1].matches(Request(source, None, None, None, False)):
        *titles, last = (kind.title for kind in KINDS if kind.proposed)
        raise SamesightError(f"{source}: no such source; give {', '.join(titles)} or {last}")
    if is_program and (weights or known.size):
        raise UsageError(f"{source} has its weights and its size; leave out --weights and --size")
    if is_onnx and weights:
        raise UsageError(f"{source} has its weights; leave out --weights")
    seen, arrays = _look(source, known, weights)
    return _proposal(source, seen, arrays, known)


def _look(source: str, known: Known, weights: Path | None) -> tuple[Look, dict[str, np.ndarray]]:
    """What the network gives, seen by a child process, which alone runs a person's code."""
    with tempfile.TemporaryDirectory(prefix="samesight-") as scratch:
        request = LookRequest(
            source=source,
            is_program=Path(source).suffix == ".pt2",
            is_onnx=Path(source).suffix == ONNX,
            folder=str(Path.cwd()),
            weights=str(weights) if weights else None,
            size=known.size,
            mean=known.mean or (),
            std=known.std or (),
        )
        file = Path(scratch) / "request.json"
        file.write_text(request.to_json(), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "samesight.conversion.workflow.look", str(file)]
        done = subprocess.run(command, env=child_environment(), capture_output=True, check=False)
        if (Path(scratch) / REFUSAL).is_file():
            raise SamesightError((Path(scratch) / REFUSAL).read_text(encoding="utf-8"))
        if done.returncode or not (Path(scratch) / LOOK).is_file():
            raise SamesightError(f"{source}: cannot be looked at: {death_reason(done.returncode, done.stderr)}")
        seen = read_document(Look, Path(scratch) / LOOK)
        with np.load(Path(scratch) / OUTPUTS, allow_pickle=False) as arrays:
            return seen, {name: arrays[str(number)] for number, name in enumerate(seen.outputs)}


def _proposal(source: str, seen: Look, arrays: dict[str, np.ndarray], known: Known) -> Proposal:
    count = seen.channels
    if count not in (1, 3):
        raise SamesightError(f"{source}: takes images of {count} channels, where a spec has 1 or 3")
    for option, values in (("--mean", known.mean), ("--std", known.std)):
        if values and len(values) != count:
            raise UsageError(f"{option}: has {len(values)} numbers, but the network takes {count} channels")
    remarks = []
    if not seen.size_known:
        remarks.append(Remark("input.width, height", "guess", "the first size that it ran on; give --size WxH"))
    if not known.mean or not known.std:
        why = "values 0..1 as they are; give --mean and --std as the training had them"
        remarks.append(Remark("input.mean, std", "unknown", why))
    if count == 3:
        remarks.append(Remark("input.channels", "guess", "RGB; write bgr if the training read images with OpenCV"))
    if not known.framing:
        remarks.append(Remark("input.framing, filter", "unknown", "the whole image stretched; give --framing"))
    try:
        spec = Input(
            width=seen.width,
            height=seen.height,
            channels="rgb" if count == 3 else "grey",
            framing=_framing(known.framing, seen.width, seen.height),
            mean=known.mean or (0.0,) * count,
            std=known.std or (1.0,) * count,
        )
    except ValidationError as error:
        raise SamesightError(f"{source}: no spec fits its input ({first_problem(error)})") from None
    name = known.name or spec_name(source.rpartition(":")[2] if ":" in source else Path(source).stem)
    proposed = propose(source, name, arrays, spec, known.labels)
    return Proposal(proposed.spec, (*proposed.remarks, *remarks))


def _framing(name: FramingName | None, width: int, height: int) -> Framing:
    if name == "letterbox":
        return Letterbox()
    return Crop(resize_shorter=int(max(width, height) / CROP_PERCENTAGE)) if name == "crop" else Stretch()
