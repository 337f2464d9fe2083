"""`verify --layers`: every value inside an artifact beside the float program's, and the first layer that breaks.

The float program is the bundle's `.pt2`, the network as it was prepared for all formats, evaluated node by node; its
nodes know the modules of the original network that they belong to.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from samesight.contract.bundle import Bundle
from samesight.contract.documents import Document, Strict, read_document
from samesight.contract.errors import SamesightError
from samesight.contract.gates import gate_for
from samesight.contract.manifest import Artifact
from samesight.conversion.npu.words import cannot_run_here
from samesight.conversion.parity.layer_match import Pair, match
from samesight.conversion.parity.layers import Tally, node_values
from samesight.conversion.parity.run import Progress
from samesight.conversion.precisions import PRECISIONS
from samesight.conversion.qparams import Float32, Float64, UInt8
from samesight.conversion.quiet import quiet
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.isolated import IsolatedModel, Runtimes
from samesight.conversion.sources.server_model import load_program
from samesight.conversion.workflow.cache import Cache, code_version, make_key

IMAGES = 8
"""Golden images on which values are compared."""
SLACK_DB = 5.0
"""Inside, a value may be this much noisier than the gate of the outputs."""
LEAST_DB = 8.0
ROUNDING = {"fp16": 2.0**-11}
"""Largest relative error of a number in a precision's values, where it matters."""
FILE = "layers.json"
ITSELF = "exported"
"""The format that is this very program; such a file is compared where it is named."""
CALIBRATED = frozenset[str](row.name for row in PRECISIONS.values() if row.calibrated)


@dataclass(frozen=True)
class FloatProgram:
    """The float network node by node.

    Attributes:
        values: from an input tensor uint8 [H, W, C] to the value of each node, by its name, in the order of execution.
        modules: the module of the original network that each node belongs to.
        inputs: the nodes that each node reads, parameters among them.
        outputs: the node of each role.
        factors: the least and the largest that int8's calibration may multiply the channels of values by, and divide by
            again behind them; float64 [2, C] by the node.
    """

    values: Callable[[UInt8], dict[str, Float32]]
    modules: Mapping[str, str]
    inputs: Mapping[str, Sequence[str]]
    outputs: Mapping[str, str]
    factors: Mapping[str, Float64]

    def module(self, node: str, compared: Collection[str]) -> str:
        """The module of a node; of the operators that a runtime fused into one, that of the first."""
        while len(read := self.inputs[node]) == 1 and read[0] in self.modules and read[0] not in compared:
            node = read[0]
        return self.modules[node]


def without_chance(
    tallies: Sequence[tuple[str, Tally]], inputs: Mapping[str, Sequence[str]], floor: float
) -> list[tuple[str, Tally]]:
    """Without values that were taken for a node of the same shape by chance: what follows from that node is right.

    A value that is really wrong makes wrong what is computed from it.
    """
    right = {tally.node: tally.db is None or tally.db >= floor for _, tally in tallies}
    readers: dict[str, list[str]] = {}
    for node, read in inputs.items():
        for name in read:
            readers.setdefault(name, []).append(node)

    def followed_by(node: str) -> set[str]:
        """The nearest nodes that were compared and depend on this one."""
        found, waiting = set[str](), list(readers.get(node, ()))
        while waiting:
            reader = waiting.pop()
            if reader in right:
                found.add(reader)
            else:
                waiting += readers.get(reader, ())
        return found

    def by_chance(node: str) -> bool:
        after = followed_by(node)
        return not right[node] and bool(after) and all(right[reader] for reader in after)

    return [(name, tally) for name, tally in tallies if not by_chance(tally.node)]


class LayerFigures(Strict):
    """One value: its name and operator in the file, the node and the module of the network that it stands for.

    `snr_db` is signal to noise over all images; None for an exact copy.
    """

    name: str
    operator: str
    node: str
    module: str
    shape: tuple[int, ...]
    snr_db: float | None


class ArtifactLayers(Strict):
    """The values of one artifact in the order of execution.

    `first` is the position of the first below `floor_db`. `inside`: the runtime shows values inside, not outputs alone.
    `values` counts those that it shows; what stands for no node, such as a padding, is not among `layers`.
    """

    artifact: str
    precision: str
    runner: str
    floor_db: float
    inside: bool
    values: int
    layers: tuple[LayerFigures, ...]
    first: int | None

    @property
    def broken(self) -> LayerFigures | None:
        """The first value below the floor."""
        return None if self.first is None else self.layers[self.first]


class LayerView(Document):
    """All artifacts of a bundle; by name why others are not among them: `unable` what nothing here runs, `failed` what
    its runtime refused.
    """

    schema_version: Literal[1] = 1
    manifest_sha256: str
    images: int
    artifacts: tuple[ArtifactLayers, ...]
    unable: dict[str, str]
    failed: dict[str, str]

    @property
    def passed(self) -> bool:
        """Everything that can run here ran, and no value of any artifact lies below its floor."""
        return not self.failed and all(artifact.first is None for artifact in self.artifacts)


def floor_of(artifact: Artifact) -> float:
    """The bound in dB below which a value inside departs."""
    unit = runner_of(artifact.format, artifact.unit).unit
    return max(LEAST_DB, gate_for(artifact.precision, unit).snr_db - SLACK_DB)


def view_layers(bundle: Bundle, names: Sequence[str] = (), progress: Progress = lambda done, total: None) -> LayerView:
    """Compare the values inside of the artifacts (all, or those of `names`) with the float program's.

    Raises:
        SamesightError: the bundle has no `.pt2`, or a name is not one of its artifacts.
    """
    chosen = [bundle.find(name) for name in names] if names else list(bundle.manifest.artifacts)
    chosen = [artifact for artifact in chosen if artifact.format != ITSELF or artifact.name in names]
    program, tensors = open_float_program(bundle), [case.tensor for case in bundle.golden_cases()[:IMAGES]]
    runtimes, found = Runtimes(), list[ArtifactLayers]()
    unable, failed = dict[str, str](), dict[str, str]()
    for number, artifact in enumerate(chosen):
        progress(number, len(chosen))
        runner = runner_of(artifact.format, artifact.unit)
        if missing := cannot_run_here(artifact) or runner.missing():
            unable[artifact.name] = missing
            continue
        model = runtimes.model(runner, bundle.path(artifact), artifact)
        model.traced = True
        factors = program.factors if artifact.precision in CALIBRATED else {}
        try:
            tallies, values = _tallies(model, tensors, program, factors, ROUNDING.get(artifact.precision, 0.0))
        except SamesightError as error:
            failed[artifact.name] = str(error)
            continue
        tallies = without_chance(tallies, program.inputs, floor_of(artifact))
        compared = {tally.node for _, tally in tallies}
        layers = tuple(
            LayerFigures(
                name=name,
                operator=tally.operator,
                node=tally.node,
                module=program.module(tally.node, compared),
                shape=tally.shape,
                snr_db=tally.db,
            )
            for name, tally in tallies
        )
        floor = floor_of(artifact)
        broken = (n for n, layer in enumerate(layers) if layer.snr_db is not None and layer.snr_db < floor)
        found.append(
            ArtifactLayers(
                artifact=artifact.name,
                precision=artifact.precision,
                runner=runner.title,
                floor_db=floor,
                inside=model.traced,
                values=values,
                layers=layers,
                first=next(broken, None),
            )
        )
    return LayerView(
        manifest_sha256=bundle.manifest_sha256(),
        images=len(tensors),
        artifacts=tuple(found),
        unable=unable,
        failed=failed,
    )


def _tallies(
    model: IsolatedModel,
    tensors: Sequence[UInt8],
    program: FloatProgram,
    factors: Mapping[str, Float64],
    rounding: float,
) -> tuple[list[tuple[str, Tally]], int]:
    """Sums over the images of every value that stands for a node, with its name in the file; and how many there are."""
    tallies: list[tuple[str, Tally]] = []
    pairs: list[Pair] = []
    count = 0
    for number, tensor in enumerate(tensors):
        traced, nodes = model.trace(tensor), program.values(tensor)
        if number == 0:
            pairs, count = match(traced, nodes, program.outputs), len(traced)
            tallies = [
                (
                    traced[pair.position].name,
                    Tally(
                        traced[pair.position].operator,
                        pair.node,
                        nodes[pair.node].shape,
                        factors=factors.get(pair.node),
                        rounding=rounding,
                    ),
                )
                for pair in pairs
            ]
        for pair, (_, tally) in zip(pairs, tallies, strict=True):
            expected = nodes[pair.node]
            tally.add(expected, pair.as_node(traced[pair.position].values, expected.shape))
    return tallies, count


def open_float_program(bundle: Bundle) -> FloatProgram:
    """The bundle's `.pt2`, decomposed.

    Raises:
        SamesightError: it has none.
    """
    # torchao warns of itself when it is imported.
    with quiet():
        from samesight.conversion.preparation.graph import module_of
        from samesight.conversion.preparation.prepare import pixels_of
        from samesight.conversion.quantization.calibrate import EQUALIZING
        from samesight.conversion.quantization.equalization import factor_bounds

    kinds = {(artifact.format, artifact.precision): artifact for artifact in bundle.manifest.artifacts}
    artifact = kinds.get(("exported", "fp32"))
    if artifact is None:
        raise SamesightError(
            f"{bundle.folder}: has no .pt2, the float network to compare with; convert again with `--to pt2` beside "
            "the other formats"
        )
    with quiet():
        program = load_program(bundle.path(artifact)).run_decompositions({})
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    images = (pixels_of(case.tensor[None]) for case in bundle.golden_cases())
    ends = next(iter(reversed(program.graph.nodes))).args[0]
    return FloatProgram(
        values=node_values(program),
        modules={node.name: module_of(node) for node in nodes},
        inputs={node.name: [read.name for read in node.all_input_nodes] for node in nodes},
        outputs={role: node.name for role, node in zip(bundle.spec.roles, ends, strict=True)},
        factors={
            name: factor.double().numpy()
            for name, factor in factor_bounds(program.module(check_guards=False), images, EQUALIZING).items()
        },
    )


def save_layers(view: LayerView, cache: Cache) -> None:
    """Store the figures in the cache, for the report; a cache that cannot be written is ignored."""
    with contextlib.suppress(SamesightError, OSError), TemporaryDirectory(prefix="samesight-") as name:
        (Path(name) / FILE).write_text(view.to_json(), encoding="utf-8")
        cache.store(_key(view.manifest_sha256), Path(name), (FILE,), "layers")


def load_layers(bundle: Bundle, cache: Cache) -> LayerView | None:
    """The figures that `save_layers` stored for this bundle and this code; None if there are none."""
    with TemporaryDirectory(prefix="samesight-") as name:
        if cache.fetch(_key(bundle.manifest_sha256()), Path(name)) is None:
            return None
        return read_document(LayerView, Path(name) / FILE)


def _key(manifest: str) -> str:
    return make_key({"layers": manifest, "code": code_version()})
