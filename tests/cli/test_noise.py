"""What libraries print, log and warn of does not reach people: neither from this process nor from its children."""

import json
import os

import pytest

# Python runs this when it starts: the libraries that run artifacts then make noise in every way that they have.
SITECUSTOMIZE = """
import sys

class Noisy:
    seen = set()

    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "onnxruntime", "ai_edge_litert", "executorch") and name not in self.seen:
            self.seen.add(name)
            import logging, os, warnings
            os.write(2, b"I0000 00:00:1 port.cc:153] noise of native code\\n")
            warnings.warn("noise by a warning")
            logging.getLogger("library").warning("noise by a log")
            print("noise by print", file=sys.stderr)

sys.meta_path.insert(0, Noisy())
"""


@pytest.fixture
def noisy(demo, samesight, tmp_path):
    """A function (arguments, …): runs a verb on the digits with noisy libraries."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "SAMESIGHT_CACHE": str(tmp_path / "cache")}
    environment.pop("SAMESIGHT_DEBUG", None)

    def run(*arguments, **variables):
        places = {"bundle": demo / "digits", "run": demo / "runs/digits", "tmp": tmp_path}
        return samesight(*[argument.format(**places) for argument in arguments], env={**environment, **variables})

    return run


IMAGE = "{bundle}/golden/000.png"
QUIET = [
    ("predict", "{bundle}", IMAGE),
    ("predict", "{bundle}", IMAGE, "--artifact", "digits.int8.tflite", "--json"),
    ("predict", "{run}", IMAGE, "--json"),
    ("verify", "{bundle}", "--artifact", "digits.fp32.onnx", "--artifact", "digits.int8.tflite", "--json"),
    ("bench", "{bundle}", "--artifact", "digits.fp32.tflite", "--artifact", "digits.fp32.onnx"),
    ("coreml", "compare", "{bundle}/artifacts/digits.fp16.mlpackage", "--against", "{run}", "--images", "2"),
]


@pytest.mark.parametrize("arguments", QUIET, ids=lambda words: " ".join(words[:2]))
def test_nothing_but_ours_is_printed(noisy, arguments):
    done = noisy(*arguments)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "noise" not in done.stdout
    if "--json" in arguments:
        json.loads(done.stdout)


def test_those_libraries_are_noisy_and_debugging_shows_it(noisy):
    done = noisy(*QUIET[0], SAMESIGHT_DEBUG="1")
    assert done.returncode == 0 and "port.cc:153] noise of native code" in done.stderr, done.stderr


@pytest.mark.slow
def test_convert_says_what_it_made_and_no_more(noisy):
    done = noisy("convert", "{run}", "--out", "{tmp}/new", "--to", "onnx,pt2", "--precision", "fp32", "--no-verify")
    assert done.returncode == 0
    told = [line.split()[0] for line in done.stderr.splitlines()]
    assert sorted(told) == ["digits.fp32.onnx", "digits.fp32.pt2", "golden", "network"], done.stderr
