"""An `adb` for tests, with phones behind it: the very commands that a phone would get run in a shell of this computer.

What a phone has is in a folder: `data/PACKAGE` is an app's own, `data/local/tmp` the shell's. Its programs are those of
`fake_adb_phone.py`; `config.json` says what they answer. Wording is that of adb 29.0.6 and of Android's sources, as
`conversion/device/adb.py` and `phone.py` name them.
"""

import json
import shutil
import sys
from pathlib import Path

PACKAGE = "samesight.app"
PROGRAMS = ("run-as", "getprop", "pm", "am", "dumpsys", "pidof", "tool")


class FakePhone:
    """What the tests of `samesight device` change and look at."""

    def __init__(self, root):
        self.root = root
        self.config = {
            "phones": [["A1", "device", "model:Pixel_8 device:shiba"]],
            "properties": {
                "ro.product.manufacturer": "Google",
                "ro.product.model": "Pixel 8",
                "ro.build.version.release": "16",
                "ro.soc.model": "Tensor G3",
                "ro.product.cpu.abi": "arm64-v8a",
            },
            "installed": [PACKAGE],
            "debuggable": True,
            "locked": False,
            "thermal": ["Thermal Status: 0\n"],
            "battery": "  temperature: 312\n",
            "app": "done",
            "results": "",
            "tool": "",
            "faults": [],
        }
        (root / "bin").mkdir(parents=True)
        (root / "data" / PACKAGE).mkdir(parents=True)
        (root / "data" / "local" / "tmp").mkdir(parents=True)
        for name in ("adb", *PROGRAMS):
            program = root / "bin" / name
            program.write_text(f"#!{sys.executable} -SE\n" + _launcher(root, name))
            program.chmod(0o755)
        for name in ("input", "wm"):
            shutil.copy("/bin/true", root / "bin" / name)
        self.adb = root / "adb" / "adb"
        self.adb.parent.mkdir()
        shutil.move(root / "bin" / "adb", self.adb)
        self.write()

    def write(self, **changes):
        self.config |= changes
        (self.root / "config.json").write_text(json.dumps(self.config))

    def fault(self, when, **how):
        """When adb's arguments match `when`: it `reads` so much, `writes`, `says` and ends with `code`, or `hangs`."""
        self.write(faults=[*self.config["faults"], {"when": when, **how}])

    @property
    def commands(self):
        """What adb was asked for, a line each."""
        log = self.root / "log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def left(self):
        """Files that are on the phone now."""
        return sorted(
            str(path.relative_to(self.root / "data")) for path in (self.root / "data").rglob("*") if path.is_file()
        )


def _launcher(root, name):
    folder = str(Path(__file__).parent)
    return f"""import sys
sys.path.insert(0, {folder!r})
import fake_adb_phone
fake_adb_phone.main({name!r}, {str(root)!r})
"""
