"""The chips whose NPUs LiteRT compiles for ahead of time, by the makers of the compilers: two tables.

Chips have the names that Android gives them (`Build.SOC_MODEL`); a test holds that LiteRT knows each of them.
"""

import difflib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.environments import ENVIRONMENTS, MAIN, launcher
from samesight.conversion.setup.snapdragon import LIBRARIES, NEEDED

SNAPDRAGON = "qualcomm"


@dataclass(frozen=True)
class Maker:
    """A maker of chips, and of the compiler that LiteRT starts for them.

    Attributes:
        name: LiteRT's name of the module in `ai_edge_litert.aot.vendors`.
        title: for people.
        environment: the row of `ENVIRONMENTS` that compiles.
        sdk: the package that brings the compiler's libraries; it fetches them while it is installed, or stays empty.
        tool: the compiler for people.
        variable: names a folder of libraries too, where LiteRT looks at one.
    """

    name: str
    title: str
    environment: str
    sdk: str
    tool: str
    variable: str | None = None

    def missing(self) -> str | None:
        """A sentence about the compiler that is not here, or not whole; None where it is."""
        if self.environment != MAIN:
            return ENVIRONMENTS[self.environment].missing() or _incomplete()
        if self.variable and os.environ.get(self.variable):
            return None
        pip = f"pip install --force-reinstall {self.sdk}, on a machine that reaches its maker's server"
        found = importlib.util.find_spec(self.sdk.removesuffix("-nightly").replace("-", "_"))
        if found is None or found.origin is None:
            return f"{self.title}'s compiler is not available here, needs {self.tool}; {pip}"
        data = Path(found.origin).parent / "data"
        if not any(data.rglob("*.so*")):
            return f"{self.title}'s compiler is not available here, {self.sdk} is installed and empty; {pip}"
        return None

    def versions(self) -> dict[str, str]:
        """What decides the bytes of a compiled file: packages and their versions."""
        found = {"ai-edge-litert": metadata.version("ai-edge-litert")}
        if self.environment == MAIN:
            try:
                found[self.sdk] = metadata.version(self.sdk)
            except metadata.PackageNotFoundError:
                found[self.sdk] = "from a folder"
            return found
        site = launcher(self.environment, "site")
        for path in site.glob("onnxruntime_qnn-*.dist-info"):
            found["onnxruntime-qnn"] = path.name.removesuffix(".dist-info").partition("-")[2]
        return found


def _incomplete() -> str | None:
    folder = launcher("snapdragon", "site").parent
    absent = next((name for name in NEEDED if not (folder / "site" / LIBRARIES / name).is_file()), None)
    return f"{folder}: has no {absent}; remove the folder and run samesight setup snapdragon" if absent else None


@dataclass(frozen=True)
class Chip:
    """One chip: Android's name, its maker's row, and LiteRT's name where that differs."""

    name: str
    maker: str
    litert: str = ""

    @property
    def target(self) -> str:
        """LiteRT's name."""
        return self.litert or self.name

    @property
    def in_file_names(self) -> str:
        """The name without blanks."""
        return self.name.replace(" ", "-")


MAKERS: dict[str, Maker] = {
    row.name: row
    for row in (
        Maker(SNAPDRAGON, "Qualcomm", "snapdragon", "ai-edge-litert-sdk-qualcomm", "QAIRT"),
        Maker("mediatek", "MediaTek", MAIN, "ai-edge-litert-sdk-mediatek", "the NeuroPilot SDK"),
        Maker(
            "google_tensor",
            "Google",
            MAIN,
            "ai-edge-litert-sdk-google-tensor",
            "the Tensor SDK",
            variable="GOOGLE_TENSOR_COMPILER_LIB",
        ),
        Maker("samsung", "Samsung", MAIN, "ai-edge-litert-sdk-samsung-nightly", "the Exynos AI LiteCore SDK"),
    )
}
CHIPS: dict[str, Chip] = {
    row.name: row
    for row in (
        *(Chip(f"SM{number}", SNAPDRAGON) for number in (8350, 8450, 8475, 8550, 8650, 8750, 8845, 8850)),
        *(Chip(f"SA{number}", SNAPDRAGON) for number in (8255, 8295)),
        *(
            Chip(f"MT{number}", "mediatek")
            for number in (
                *(6853, 6877, 6878, 6879, 6886, 6893, 6895, 6897),
                *(6983, 6985, 6989, 6991, 6993, 8171, 8188, 8189),
            )
        ),
        *(Chip(f"Tensor G{number}", "google_tensor", f"Tensor_G{number}") for number in (3, 4, 5, 6)),
        Chip("s5e9965", "samsung", "E9965"),
    )
}


def find_chips(names: Sequence[str]) -> tuple[Chip, ...]:
    """The rows of these names, each once; Android's names or LiteRT's, without regard to case.

    Raises:
        UsageError: no such chip; the message has the nearest names.
    """
    known = {_plain(text): chip for chip in CHIPS.values() for text in (chip.name, chip.target)}
    for name in names:
        if _plain(name) not in known:
            near = difflib.get_close_matches(_plain(name), known, 3, cutoff=0.5)
            hint = f"did you mean {' or '.join(dict.fromkeys(known[text].name for text in near))}?" if near else ""
            raise UsageError(f"--soc: no chip {name!r} is known here; {hint or 'choose among ' + ', '.join(CHIPS)}")
    return tuple(dict.fromkeys(known[_plain(name)] for name in names))


def maker_of(soc: str) -> Maker | None:
    """Who made the chip that Android calls so; None for one that is not known here."""
    chip = next((chip for chip in CHIPS.values() if chip.name.lower() == soc.lower()), None)
    return MAKERS[chip.maker] if chip else None


def require_compilers(chips: Sequence[Chip]) -> None:
    """Raise where a chip's compiler is not here.

    Raises:
        SamesightError: names the chip, what is missing, and how to get it.
    """
    for chip in chips:
        if missing := MAKERS[chip.maker].missing():
            raise SamesightError(f"--soc {chip.name}: {missing}")


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "").replace("-", "")
