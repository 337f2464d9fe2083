import sys
from pathlib import Path

import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.sources.function import call_function, export_function

NETWORK = "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(1), nn.Linear(3 * 32 * 32, 10))\n"


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A person's folder; what is imported from it is forgotten afterwards."""
    root = Path(__file__).parents[3]
    own = {"", str(root), str(root / "tests")}  # those of the test's own process, which a worker does not have
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in own])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_function_becomes_a_program_in_eval_mode(theirs, digits_spec):
    (theirs / "their_net.py").write_text(NETWORK.replace("nn.Flatten(1)", "nn.Dropout(0.9), nn.Flatten(1)"))
    program = export_function("their_net:make", theirs, digits_spec.input)
    import torch

    image = torch.ones(1, 3, 32, 32)
    assert torch.equal(program.module()(image), program.module()(image))


def test_the_module_of_an_exported_program_becomes_a_program(theirs, digits_spec):
    (theirs / "their_program.py").write_text(
        "import torch\n\n\ndef make():\n"
        "    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(3072, 10)).eval()\n"
        "    return torch.export.export(network, (torch.zeros(1, 3, 32, 32),)).module()\n"
    )
    program = export_function("their_program:make", theirs, digits_spec.input)
    assert program.module()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_pythons_own_library_comes_before_their_folder(theirs):
    (theirs / "json.py").write_text("raise RuntimeError('theirs')\n")
    (theirs / "their_json.py").write_text("import json\n" + NETWORK)
    call_function("their_json:make", theirs)
    assert sys.path[-1] == str(theirs)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("their_a", "def make():\n    return 3\n", "returns int, not a torch.nn.Module"),
        ("their_b", "def other():\n    return 3\n", "their_b has no attribute 'make'; name a function of it"),
        ("their_g", "def maker():\n    return 3\n", "their_g has no attribute 'make'; did you mean maker?"),
        ("their_c", "import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("their_d", "def make(\n", "SyntaxError"),
        ("their_e", "def make():\n    raise SystemExit(3)\n", "SystemExit: 3"),
        ("their_f", "def make():\n    return 1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(theirs, name, text, sentence):
    (theirs / f"{name}.py").write_text(text)
    with pytest.raises(SamesightError) as caught:
        call_function(f"{name}:make", theirs)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_library_is_named(theirs):
    with pytest.raises(SamesightError, match=r"^tim:resnet18: there is no module 'tim'; did you mean timm:resnet18\?$"):
        export_function("tim:resnet18", theirs, None)


def test_a_missing_module_is_one_sentence(theirs):
    with pytest.raises(SamesightError, match=r"no_module_here:make: cannot be loaded .*No module named"):
        call_function("no_module_here:make", theirs)


@pytest.mark.parametrize("package", ["training", "conversion", "contract", "datasets", "tests", "docs"])
def test_a_package_that_is_called_like_a_folder_of_ours_or_an_installed_one_is_theirs(theirs, package):
    (theirs / package).mkdir()
    (theirs / package / "__init__.py").write_text("")
    (theirs / package / "nets.py").write_text(NETWORK)
    (theirs / f"their_{package}.py").write_text(
        f"def make():\n    from {package}.nets import make\n    return make()\n"
    )
    for name in (package, f"{package}.nets"):
        sys.modules.pop(name, None)
    call_function(f"their_{package}:make", theirs)
    assert Path(sys.modules[f"{package}.nets"].__file__) == theirs / package / "nets.py"


def test_what_torch_cannot_follow_is_one_sentence(theirs, digits_spec):
    (theirs / "their_flow.py").write_text(
        "from torch import nn\nclass make(nn.Module):\n    def forward(self, x):\n"
        "        return x if x.sum() > 0 else -x\n"
    )
    with pytest.raises(
        SamesightError, match=r"their_flow:make: torch.export cannot follow it on an input \[1, 3, 32, 32\]"
    ):
        export_function("their_flow:make", theirs, digits_spec.input)


def test_another_input_size_is_one_sentence(theirs, boxes_spec):
    (theirs / "their_size.py").write_text(NETWORK)
    with pytest.raises(SamesightError, match=r"their_size:make: .* on an input \[1, 3, 24, 32\]"):
        export_function("their_size:make", theirs, boxes_spec.input)
