"""Compares a Core ML file with a run, for `samesight coreml compare`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError
from samesight.contract.spec import read_spec
from samesight.contract.verdicts import RoleFigures
from samesight.conversion.parity.layers import Layer, compare_layers, compare_outputs, first_departure, floor_of
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.runners.coreml.pte_package import load_any
from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images

CALIBRATION = "calibration"


@dataclass(frozen=True)
class FileComparison:
    """Figures of the outputs and, if requested, of the intermediate values."""

    file: Path
    run: Path
    images: int
    floor: float
    outputs: list[RoleFigures]
    layers: list[Layer] | None

    @property
    def departure(self) -> Layer | None:
        """The first value below the floor."""
        return first_departure(self.layers or [], self.floor)

    @property
    def passed(self) -> bool:
        """No output and no compared value lies below the floor."""
        low = [figures for figures in self.outputs if figures.snr_db is not None and figures.snr_db < self.floor]
        return not low and self.departure is None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        keys = {"role", "snr_db", "worst_db", "largest_error"}
        return {
            "file": str(self.file),
            "run": str(self.run),
            "images": self.images,
            "floor_db": self.floor,
            "outputs": [figures.model_dump(mode="json", include=keys) for figures in self.outputs],
            "layers": None if self.layers is None else [asdict(layer) for layer in self.layers],
            "first_departure": asdict(self.departure) if self.departure else None,
            "passed": self.passed,
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{figures.role:<12}{_decibels(figures.snr_db):>10}" for figures in self.outputs]
        if self.layers is not None:
            width = max((len(layer.name) for layer in self.layers), default=0) + 2
            lines += [
                f"{layer.name:<{width}}{layer.operator:<20}{_decibels(layer.db):>10}  {list(layer.shape)}"
                for layer in self.layers
            ]
            lines.append(self._verdict())
        result = "every value reaches" if self.passed else "failed: a value lies below"
        return [*lines, f"{result} the floor of {self.floor:g} dB against the float network, on {self.images} images"]

    def _verdict(self) -> str:
        if not self.layers:
            return (
                "no value inside has a name of the network's: those made by torch.export keep them, ExecuTorch's do not"
            )
        first = self.departure
        if first is None:
            return f"no value departs: {len(self.layers)} compared by name"
        return f"first to depart: {first.name} ({first.operator}), {_decibels(first.db)}"


def compare_file(file: Path, run: Path, layers: bool, images: int, floor: float | None = None) -> FileComparison:
    """Evaluate a `.mlpackage` or a Core ML `.pte` on calibration images of a run and compare it with the network.

    Raises:
        SamesightError: not such a file, not a run, or they do not belong together.
    """
    from samesight.conversion.preparation.prepare import prepare
    from samesight.conversion.sources.server_model import load_program, load_server

    network = run / "network.pt2"
    if not network.is_file():
        raise SamesightError(f"--against {run}: not a run (it has no network.pt2); give the folder that train wrote")
    spec = read_spec(run / "model.json")
    evaluator = load_any(file)
    tensors = calibration_tensors(find_calibration_images(run / CALIBRATION)[:images], spec.input)
    with mute():
        server = load_server(network, spec)
    outputs = compare_outputs(evaluator, server, tensors)
    compared_layers = None
    if layers:
        with quiet():
            prepared = prepare(load_program(network), spec)
        compared_layers = compare_layers(evaluator, prepared, tensors)
    return FileComparison(
        file, run, len(tensors), floor_of(evaluator) if floor is None else floor, outputs, compared_layers
    )


def _decibels(db: float | None) -> str:
    return "equal" if db is None else f"{db:.1f} dB"
