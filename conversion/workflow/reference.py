"""The server model of a source, and what it answers: golden cases and the test split, without any artifact."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.contract.spec import ModelSpec
from samesight.conversion.quiet import mute
from samesight.conversion.sources.server_model import ServerModel
from samesight.conversion.sources.source import ModelSource
from samesight.conversion.workflow.jobs import built_from, make_job
from samesight.conversion.workflow.processes import run_workers
from samesight.conversion.workflow.server_answers import ServerAnswers, read_server_answers
from samesight.conversion.workflow.worker_protocol import Event, GoldenJob
from samesight.datasets import open_data
from samesight.datasets.damaged import readable
from samesight.datasets.example import LabelledImage


@dataclass(frozen=True)
class Reference:
    """What `make_reference` wrote into `folder`; `network` is the exported program that was asked."""

    source: ModelSource
    folder: Path
    network: Path

    @property
    def spec(self) -> ModelSpec:
        """Of the source."""
        return self.source.spec

    @cached_property
    def answers(self) -> ServerAnswers | None:
        """On the test split; None without one."""
        return read_server_answers(self.folder)

    @cached_property
    def examples(self) -> Sequence[LabelledImage]:
        """The images of the test split, in the order of the answers."""
        data = self.source.data
        if data is None or self.answers is None:
            return ()
        test = open_data(data.source, self.spec.task, data.seed).test
        return list(readable(test) if data.skip_damaged else test)

    @cached_property
    def server(self) -> ServerModel:
        """The server model in this process."""
        from samesight.conversion.sources.onnx.server import load_onnx_server
        from samesight.conversion.sources.server_model import load_server

        with mute():
            if self.source.onnx:
                return load_onnx_server(self.source.onnx, self.spec)
            return load_server(self.network, self.spec)


def make_reference(source: ModelSource, folder: Path) -> Reference:
    """Have a worker write golden cases and, where there is test data, the server's answers into an empty folder.

    Raises:
        SamesightError: the source cannot be loaded, or contradicts its spec.
    """
    work = folder / "work"
    work.mkdir()
    network = source.network or work / "network.pt2"
    data = source.data
    golden = GoldenJob(
        output=str(folder / "server"),
        source=data.source if data else None,
        seed=data.seed if data else 0,
        skip_damaged=bool(data and data.skip_damaged),
        onnx=str(source.onnx) if source.onnx else None,
    )
    (folder / "server").mkdir()
    # An ONNX file answers by itself, so it is not read as a network here.
    job = make_job(source, network, (), lambda name: work / name)
    run_workers([job.model_copy(update={**built_from(source), "golden": golden})], work, _raise_failure)
    return Reference(source, folder / "server", network)


def _raise_failure(event: Event) -> None:
    if event.kind == "failed":
        raise SamesightError(event.text)
