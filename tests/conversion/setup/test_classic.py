"""The environments of the other routes to TFLite: made from lists of versions, whole or not at all."""

import re

import pytest

from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion import environments
from samesight.conversion.environments import ENVIRONMENTS, PINS, pins_of
from samesight.conversion.formats import ROUTES
from samesight.conversion.setup import classic
from samesight.conversion.setup.classic import CLASSIC
from samesight.conversion.setup.install import find, install
from samesight.conversion.workflow.plan import choose

# Stands for a Python: a module venv that makes an environment of itself, and what is asked of that.
PYTHON = """\
#!/bin/sh
case "$*" in
    "-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
    *"import venv"*) ;;
    *importlib.metadata*) echo 1 2 ;;
    *"import onnx2tf"*) [ ! -e "@/broken" ] || { echo "ImportError: no GLIBC_9" >&2; exit 1; } ;;
esac
echo "$*" >> "@/log"
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A made-up Python 3.11 and installer; gives the folder with the log of what was called."""
    folder = tmp_path / "fake"
    folder.mkdir()
    python = folder / "python3.11"
    python.write_text(PYTHON.replace("@", str(folder)))
    python.chmod(0o755)
    monkeypatch.setattr(classic, "find_python", lambda: str(python))
    monkeypatch.setattr(classic.wheels, "installer_into", lambda path: [str(python), "install into", str(path)])
    return folder


def calls(fake):
    return (fake / "log").read_text().splitlines()


def test_a_list_has_names_and_versions_alone():
    assert {path.stem for path in PINS.iterdir()} == set(ROUTES) == {c.name for c in classic.ENVIRONMENTS}
    for name in ROUTES:
        assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin) for pin in pins_of(name)), name
    assert {"onnx-tf==1.10.0", "tensorflow-cpu==2.15.1"} <= set(pins_of("onnx-tf"))
    assert {"onnx2tf==1.29.24", "tensorflow==2.19.0"} <= set(pins_of("onnx2tf"))
    assert pins_of("main") == ()


def test_both_are_made_once_and_found_from_then_on(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "tools_root", lambda: tmp_path / "tools")
    assert ENVIRONMENTS["onnx-tf"].missing() == f"{tmp_path}/tools/classic: is not installed; samesight setup classic"
    said = []
    found = install(CLASSIC, said.append, tmp_path / "tools")
    assert found.version == "onnx-tf 1, tensorflow-cpu 2, onnx2tf 1, tensorflow 2"
    assert said[0] == f"onnx-tf: {len(pins_of('onnx-tf'))} packages"
    installed = [call for call in calls(fake) if call.startswith("install into")]
    assert all(f" {pin}" in installed[1] for pin in pins_of("onnx2tf")) and " pydantic==" in installed[0]
    assert all("--no-deps" in call for call in installed)
    assert ENVIRONMENTS["onnx-tf"].missing() is None is ENVIRONMENTS["onnx2tf"].missing()
    before = len(installed)
    assert install(CLASSIC, said.append, tmp_path / "tools") == found
    assert len([call for call in calls(fake) if call.startswith("install into")]) == before


def test_an_interrupted_one_counts_as_none_and_is_made_anew(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "tools_root", lambda: tmp_path / "tools")
    (fake / "broken").touch()
    with pytest.raises(SamesightError, match=r"^onnx2tf does not run here \(ImportError: no GLIBC_9\); .*try again$"):
        install(CLASSIC, print, tmp_path / "tools")
    assert find(CLASSIC, tmp_path / "tools") is None and ENVIRONMENTS["onnx-tf"].missing()
    left = tmp_path / "tools/classic/onnx-tf/half"
    left.touch()
    (fake / "broken").unlink()
    assert install(CLASSIC, print, tmp_path / "tools") and not left.exists()
    (tmp_path / "tools/classic/onnx2tf/bin/python").unlink()
    assert find(CLASSIC, tmp_path / "tools") is None
    assert install(CLASSIC, print, tmp_path / "tools")


def test_without_python_3_11_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(classic.sys, "version_info", type("V", (tuple,), {"major": 3, "minor": 12})((3, 12, 1)))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SamesightError, match=r"need Python 3\.11, this is 3\.12; install Python 3\.11"):
        install(CLASSIC, print, tmp_path / "tools")
    assert not (tmp_path / "tools").exists()


def test_a_route_is_asked_for_by_name_and_makes_tflite_alone(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "tools_root", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"^--via onnx-tf: .*classic: is not installed; samesight setup classic$"):
        choose("m", ["tflite"], [], ["onnx-tf"])
    install(CLASSIC, print, tmp_path)
    made = choose("m", ["tflite"], ["int8"], ["onnx2tf", "own", "onnx-tf"])
    assert [t.name for t in made] == ["m.int8.tflite", "m.int8.onnx-tf.tflite", "m.int8.onnx2tf.tflite"]
    assert {t.format.written for t in made} == {"litert"}
    assert len(choose("m", [], [], ["onnx-tf"])) == 4
    for via, formats, sentence in (
        (["onnx-fe"], [], r"--via: no route 'onnx-fe'; did you mean onnx-tf\?"),
        (["tensorrt"], [], r"--via: no route 'tensorrt'; choose among own, onnx-tf, onnx2tf"),
        (["onnx-tf"], ["tflite", "pte"], r"--via onnx-tf makes \.tflite alone, not \.pte; leave --via out"),
        (["onnx-tf"], ["tflite"], r"TFLite by onnx-tf and TensorFlow \(\.onnx-tf\.tflite\) holds no palette6"),
    ):
        with pytest.raises(UsageError, match=sentence):
            choose("m", formats, ["palette6"] if "palette6" in sentence else [], via)
