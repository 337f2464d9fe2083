"""What stands for the runtimes declares what they declare: the stubs, the layer over LiteRT, and the tests' ExecuTorch.

A difference here is an app that compiles against the stand-in and not against the library, or the other way round.
"""

import re
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "android_app"
LIST = Path(__file__).parent / "runtime_signatures.txt"
# What LiteRT's Kotlin API has on Android alone.
ON_ANDROID = ("NpuAcceleratorProvider", "Context")
KEYWORDS = re.compile(r"[{}]|\b(enum class|data class|class|interface|object|constructor|fun|const val|val|var)\b")
HIDDEN = re.compile(r"\b(private|internal|protected)\b")
CALLED = r"\s*(?:<[^>]*>\s*)?([\w.]+)"


def listed():
    """Members by class, as the list says them."""
    members: dict[str, list[str]] = {}
    name = ""
    for line in LIST.read_text().splitlines():
        if line.startswith("    "):
            members[name].append(line.strip())
        elif line and not line.startswith("#"):
            name = line
            members[name] = []
    return members


def closing(text, at, pair="()"):
    """Where the bracket that opens at `at` is closed."""
    depth = 0
    for place in range(at, len(text)):
        depth += (text[place] == pair[0]) - (text[place] == pair[1])
        if depth == 0:
            return place
    raise AssertionError(text[at : at + 80])


def plain(text):
    return re.sub(r"\s+", " ", text).replace("( ", "(").replace(", )", ")").replace(" )", ")").strip(" ,")


def parameters(text):
    """(constructor's parameters without `val`, properties among them)."""
    properties = [plain(found) for found in re.findall(r"(?<!private )(?<!internal )\bval (\w+: [^,=)]+)", text)]
    return plain(re.sub(r"\b(?:private |internal )?va[lr] ", "", text)), properties


def declared(text, members=None, implied=None):
    """Public members by class of Kotlin source; in `implied`, properties that a primary constructor declares."""
    members, implied = {} if members is None else members, {} if implied is None else implied
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    package = re.search(r"^package ([\w.]+)", text, re.MULTILINE)[1]
    scopes, pending, at = [package], None, text.index("package")
    while found := KEYWORDS.search(text, at):
        at, word = found.end(), found[1]
        before = text[: found.start()].rsplit("\n", 1)[-1]
        scope = scopes[-1]
        if found[0] == "{":
            scopes.append(pending)
            pending = None
        elif found[0] == "}":
            scopes.pop()
        elif scope is None:
            continue
        elif word == "object":
            # A companion's members are its class's; another object's are nobody's.
            pending = scope if "companion" in before else None
            at = text.find("{", at) if pending and re.match(r"\s*\{", text[at:]) else at
        elif word in ("enum class", "data class", "class", "interface"):
            name = re.match(CALLED, text[at:])
            pending, at = f"{scope}.{name[1]}", at + name.end()
            members.setdefault(pending, [])
            header = re.match(r"\s*(?:(private|internal)?\s*constructor\s*)?(?=\()", text[at:])
            if header:
                start = at + header.end()
                end = closing(text, start)
                given, properties = parameters(text[start + 1 : end])
                implied.setdefault(pending, []).extend(f"val {item}" for item in properties)
                if header[1] is None and word != "enum class":
                    members[pending].append(f"constructor({given})")
                at = end + 1
            # A class without a body ends with its line.
            body = re.match(r"[^\n{]*(\{)?", text[at:])
            if word == "enum class" and body[1]:
                entries = re.split(r"[;}]", text[at + body.end() :], maxsplit=1)[0]
                entries = plain(re.sub(r"\([^)]*\)", "", entries))
                members[pending].append(f"enum {entries}")
            if not body[1]:
                pending = None
        elif HIDDEN.search(before):
            continue
        elif word == "constructor":
            end = closing(text, text.index("(", at))
            members[scope].append(f"constructor({parameters(text[text.index('(', at) + 1 : end])[0]})")
            at = end
        elif word == "fun":
            name = re.match(CALLED, text[at:])[1]
            start = text.index("(", at)
            end = closing(text, start)
            result = re.match(r":\s*([^={\n]+)", text[end + 1 :])
            result = f": {plain(result[1])}" if result and plain(result[1]) != "Unit" else ""
            owner = scope
            if ".Companion." in name:
                owner, name = f"{package}.{name.split('.')[0]}", name.split(".")[-1]
            given = parameters(text[start + 1 : end])[0].replace("Environment.Option", "Option")
            members.setdefault(owner, []).append(f"fun {name}({given}){result}")
            at = end
        elif scope != package:
            found = re.match(r"\s*(\w+)(?:: ([^=\n]+))?(?: = (\d+))?", text[at:])
            kind = "const " if word == "const val" else f"{word} "
            tail = f" = {found[3]}" if word == "const val" else f": {plain(found[2] or '')}"
            members[scope].append(f"{kind}{found[1]}{tail}")
    return members


def read(*folders):
    members, implied = {}, {}
    for folder in folders:
        for path in sorted((APP / folder).rglob("*.kt")):
            declared(path.read_text(), members, implied)
    return members, implied


def missing(expected, found):
    members, implied = found
    return {
        name: left
        for name, lines in expected.items()
        if (left := [line for line in lines if line not in members.get(name, []) + implied.get(name, [])])
    }


LITERT = {name: lines for name, lines in listed().items() if "litert" in name}
EXECUTORCH = {name: lines for name, lines in listed().items() if "executorch" in name}
STUBS = ("stubs/src/main", "androidstubs/src/main/kotlin/com")


def test_the_stubs_declare_all_and_nothing_else():
    found = read(*STUBS)
    assert missing(listed(), found) == {}
    own = {name: lines for name, lines in found[0].items() if lines}
    beyond = {name: [line for line in lines if line not in listed().get(name, [])] for name, lines in own.items()}
    # What a class of the list inherits is said once.
    assert {name: left for name, left in beyond.items() if left} == {
        "com.google.ai.edge.litert.BuiltinNpuAcceleratorProvider": LITERT[
            "com.google.ai.edge.litert.NpuAcceleratorProvider"
        ]
    }


@pytest.mark.parametrize("folder", ["host/src/main/kotlin/com", "engine/src/test/kotlin/com"])
def test_the_layer_over_litert_and_the_tests_litert_declare_all(folder):
    here = {
        name: kept
        for name, lines in LITERT.items()
        if (kept := [line for line in lines if not any(word in line or word in name for word in ON_ANDROID)])
    }
    assert len(here) > 10
    assert missing(here, read(folder)) == {}


def test_the_tests_executorch_declares_all():
    assert missing(EXECUTORCH, read("engine/src/test/kotlin/org")) == {}


@pytest.mark.parametrize(
    ("true", "other"),
    [
        ("val isTensor: Boolean", "fun isTensor(): Boolean"),
        ('signature: String = ""', "signature: String? = null"),
        ("constructor(vararg accelerators", "constructor(accelerators"),
        ("enum class ElementType { INT, FLOAT,", "enum class ElementType { FLOAT, INT,"),
        ("const val LOAD_MODE_MMAP = 1", "const val LOAD_MODE_MMAP = 2"),
    ],
)
def test_a_difference_is_found(true, other):
    text = "".join(path.read_text() for path in sorted((APP / "stubs").rglob("*.kt")))
    assert true in text
    members, implied = {}, {}
    for path in sorted((APP / "stubs").rglob("*.kt")):
        declared(path.read_text().replace(true, other), members, implied)
    declared((APP / "androidstubs/src/main/kotlin/com/google/ai/edge/litert/Npu.kt").read_text(), members, implied)
    assert missing(listed(), (members, implied)) != {}
