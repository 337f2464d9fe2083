"""device-parity.json: results of an app's own code on a bundle's golden cases, per artifact and unit."""

from typing import Annotated, Literal

from pydantic import Field

from samesight.contract.documents import Document, Strict
from samesight.contract.golden import StoredAnswer, YuvLayout
from samesight.contract.manifest import Sha256, Unit
from samesight.contract.spec import Role

DEVICE_PARITY = "device-parity.json"

# Evidence that the requested unit is the unit that ran: no other unit can run the file like this; it is faster than the
# CPU can be; it was requested, and nothing more is known.
Proof = Literal["certain", "timing", "requested"]

Milliseconds = Annotated[float, Field(ge=0.0)]


class Times(Strict):
    """Milliseconds: to load, of the first run, and the middle one of the later runs."""

    load: Milliseconds
    first: Milliseconds
    steady: Milliseconds


class CaseRun(Strict):
    """Results of the app's code on one image of a golden case.

    `tensor_sha256` is of the input tensor's bytes, uint8 [height, width, channels]; boxes of answers are in pixels of
    the stored image.
    """

    id: str
    image: Literal["rgb"] | YuvLayout
    tensor_sha256: Sha256
    answers: tuple[StoredAnswer, ...]


class UnitRun(Strict):
    """One artifact on one unit.

    `refusal` says why the app does not use this unit; then there are no figures. `slower`: than the CPU. `snr_db`: per
    role, over all RGB images, against the server model; None for an exact copy. `delegates`: of an ExecuTorch program.
    `notes`: how the unit was asked for where that is not the usual way, such as a GPU in float32, and why.
    """

    artifact: str
    unit: Unit
    proof: Proof | None
    refusal: str | None
    delegates: tuple[str, ...]
    notes: tuple[str, ...] = ()
    times: Times | None
    slower: bool
    snr_db: dict[Role, float | None]
    cases: tuple[CaseRun, ...]


class DeviceParity(Document):
    """An app on a device and all its runs on the bundle whose manifest has this hash."""

    schema_version: Literal[1] = 1
    manifest_sha256: Sha256
    app: str
    device: str
    system: str
    runtimes: dict[str, str]
    runs: tuple[UnitRun, ...]
