"""Files and folders that people give to `convert` although it cannot start from them: what they are and what to do.

Nothing is loaded: a pickle's opcodes are read, not run.
"""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

from samesight.contract.files import check_plain
from samesight.contract.image import list_images

EXPORT = '`torch.export.save(torch.export.export(network.eval(), (images,)), "network.pt2")`'
NETWORK = f"give module:function that returns the network with its weights, or the file that {EXPORT} writes"
CONVERTED = f"the result of a conversion; give the PyTorch network that it was made of: {NETWORK}"
OTHER_FRAMEWORK = "and samesight starts from PyTorch; train with `samesight train`, or rebuild the network in PyTorch"
# By suffix: what such a file or folder is, and what to do.
KINDS: dict[str, tuple[str, str]] = {
    ".tflite": ("a LiteRT (TensorFlow Lite) model", CONVERTED),
    ".mlpackage": ("a Core ML package", CONVERTED),
    ".mlmodel": ("a Core ML model", CONVERTED),
    ".mlmodelc": ("a compiled Core ML model", CONVERTED),
    ".aimodel": ("a Core AI model", CONVERTED),
    ".pte": ("an ExecuTorch program", CONVERTED),
    ".ptl": ("a program of PyTorch's lite interpreter", CONVERTED),
    ".engine": ("a TensorRT engine", CONVERTED),
    ".pb": ("a TensorFlow graph", OTHER_FRAMEWORK),
    ".h5": ("a Keras file", OTHER_FRAMEWORK),
    ".keras": ("a Keras file", OTHER_FRAMEWORK),
    ".safetensors": ("weights without the network", f"so load them into it: {NETWORK}"),
    ".py": ("Python code", "so name the function in it that returns the network: module:function"),
    ".zip": ("an archive", "so unpack it first (`samesight pack --unpack` for a packed bundle)"),
}
TORCH_SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl", ".tar"})
WITH_NETWORK = f"so load it with the code that made it: {NETWORK}"
PICKLE_BYTES = 16 << 20
# Without a zip archive, torch.save writes a magic number, a version and the machine's sizes before the object.
OLD_FORM_PICKLES = 4


def explain(path: Path) -> str | None:
    """What an existing file or folder is that is neither a run nor an exported program, and what to do; else None.

    Raises:
        SamesightError: it is a pipe or a device.
    """
    suffix = path.suffix.lower()
    if suffix in KINDS:
        what, advice = KINDS[suffix]
        return f"{path}: is {what}, {advice}"
    if path.is_dir():
        return f"{path}: {_folder(path)}"
    if check_plain(path).is_file() and suffix in TORCH_SUFFIXES:
        return f"{path}: {_torch_file(path)}"
    return None


def _folder(path: Path) -> str:
    runs = sorted(child.name for child in path.iterdir() if (child / "run.json").is_file())
    if runs:
        return f"holds runs ({', '.join(runs[:5])}); give one of them, such as {path / runs[0]}"
    if (path / "saved_model.pb").is_file():
        return f"is a TensorFlow SavedModel, {OTHER_FRAMEWORK}"
    if (path / "config.json").is_file() and (list(path.glob("*.safetensors")) or list(path.glob("*.bin"))):
        return f"is a model in Hugging Face's form, weights without the network's code, {WITH_NETWORK}"
    if list_images(path):
        return f"holds images, not a run; `samesight train folder:{path} --out RUN` makes a run of them first"
    return f"is a folder, but not a run, which `samesight train` makes; {NETWORK}"


def _torch_file(path: Path) -> str:
    if (path.parent / "run.json").is_file():
        return f"is the checkpoint of a run; give the run: {path.parent}"
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
            if "constants.pkl" in names or any(name.startswith("code/") for name in names):
                return f"is TorchScript, which can no longer be exported, {WITH_NETWORK}"
            pickles = [name for name in archive.namelist() if name.partition("/")[2] == "data.pkl"]
            words = set(_words(archive.open(pickles[0]).read(PICKLE_BYTES))) if pickles else set()
    except (zipfile.BadZipFile, OSError, EOFError):
        with path.open("rb") as file:
            words = set(_words(file.read(PICKLE_BYTES)))
    if not words:
        return f"is no file that torch wrote, or a damaged one; {NETWORK}"
    if any(word.split(".")[0] == "ultralytics" for word in words):
        return f"is a checkpoint of Ultralytics, {WITH_NETWORK}"
    if "pytorch-lightning_version" in words:
        return f"is a checkpoint of Lightning, weights without the network, {WITH_NETWORK}"
    if any(word.startswith("torch.nn.modules") for word in words):
        return f"is a pickled network, {WITH_NETWORK}"
    return f"holds weights (a state dict or a checkpoint) without the network, {WITH_NETWORK}"


def _words(data: bytes) -> Iterator[str]:
    """The names and short texts in the pickles at the start of a file, without running them."""
    stream = io.BytesIO(data)
    try:
        for _ in range(OLD_FORM_PICKLES):
            for _, argument, _ in pickletools.genops(stream):
                if isinstance(argument, str) and len(argument) < 200:
                    yield argument
    except Exception:  # pickletools raises anything from ValueError to struct.error on damaged or cut files
        return
