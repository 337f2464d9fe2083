"""`samesight device` with a phone that a program plays (support/fake_adb.py): what works, and every way it fails."""

import json
import os
import struct
import zipfile

import pytest

from samesight.contract.archive import pack_bundle, unpack_bundle
from samesight.contract.bundle import open_bundle
from samesight.contract.signature import check_signature, new_key, read_public_key
from samesight.contract.verdicts import Verdict, Verdicts
from samesight.conversion.device import adb, errands
from samesight.conversion.device import phone as phone_module
from samesight.conversion.workflow.doctor import phone_check
from support.bundles import write_bundle
from support.device_runs import flawless_run, parity_of
from support.fake_adb import FakePhone
from support.faulty import only, reseal

ARTIFACTS = {
    "tiny.fp32.onnx": {"name": "tiny.fp32.tflite", "format": "litert", "platforms": ("android",)},
    "tiny.fp16.mlpackage": {"name": "tiny.fp16.pte", "format": "executorch", "platforms": ("android",)},
}


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A phone that is ready; its adb is the first on the path."""
    fake = FakePhone(tmp_path / "phone")
    monkeypatch.setenv("PATH", f"{fake.adb.parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT", "ANDROID_SERIAL"):
        monkeypatch.delenv(name, raising=False)
    return fake


@pytest.fixture
def bundle(tmp_path):
    """A bundle with a .tflite and a .pte that passed here."""
    folder = tmp_path / "tiny"
    write_bundle(folder)
    reseal(folder, lambda artifact: artifact.model_copy(update=ARTIFACTS[artifact.name]))
    opened = open_bundle(folder)
    about = {"unit": "cpu", "runner": "x", "passed": True, "reason": "", "cases": 2, "bytes": 7}
    verdicts = [
        Verdict(name=a.name, format=a.format, precision=a.precision, **about) for a in opened.manifest.artifacts
    ]
    opened.write_verdicts(Verdicts(manifest_sha256=opened.manifest_sha256(), passed=True, artifacts=tuple(verdicts)))
    return open_bundle(folder)


@pytest.fixture
def results(bundle):
    """What a flawless app exports of the bundle."""
    runs = [flawless_run(bundle, artifact=artifact.name) for artifact in bundle.manifest.artifacts]
    return parity_of(bundle, *runs, device="Google Pixel 8")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(errands, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(phone_module, "LOOK_SECONDS", 0.01)


def failure(done, code=1):
    """The one sentence of a failed command."""
    assert done.returncode == code, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("samesight: ") and not done.stdout
    return sentence.removeprefix("samesight: ")


def test_list_names_each_phone_and_what_to_do_about_it(samesight_here, phone):
    states = ["unauthorized", "offline", "authorizing", "no permissions", "recovery", "bootloader", "strange"]
    phone.write(phones=[*phone.config["phones"], *([f"B{n}", state, ""] for n, state in enumerate(states))])
    done = samesight_here("device", "list")
    assert done.returncode == 0
    ready, *others = done.stdout.splitlines()
    assert ready == "A1: Google Pixel 8, Android 16, Tensor G3, arm64-v8a"
    for line, word in zip(
        others,
        ["accept the question", "is offline", "accept", "udev", "adb reboot", "fastboot", "'strange'"],
        strict=True,
    ):
        assert word in line
    rows = json.loads(samesight_here("device", "list", "--json").stdout)["phones"]
    assert rows[0]["soc"] == "Tensor G3" and [row["ready"] for row in rows] == [True] + 7 * [False]
    phone.write(phones=[])
    assert "adb sees no phone" in samesight_here("device", "list").stdout


def test_push_has_the_app_take_in_the_very_pack_and_leaves_nothing_else(samesight_here, phone, bundle, tmp_path):
    done = samesight_here("device", "push", bundle.folder)
    assert (done.returncode, done.stdout) == (0, "A1: Google Pixel 8 has tiny\n")
    assert phone.left == []
    assert any("am start -n samesight.app/samesight.app.MainActivity" in line for line in phone.commands)
    pack_bundle(bundle, "android", tmp_path / "expected.zip")
    assert (phone.root / "pack.zip").read_bytes() == (tmp_path / "expected.zip").read_bytes()


def test_push_signs_where_the_app_asks_for_it(samesight_here, phone, bundle, tmp_path):
    private, public = new_key(tmp_path / "keys")
    phone.write(installed=["com.example.digits"])
    (phone.root / "data/com.example.digits").mkdir()
    done = samesight_here("device", "push", bundle.folder, "--sign", private, "--app", "com.example.digits", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["model"] == "tiny"
    unpack_bundle(phone.root / "pack.zip", tmp_path / "there")
    assert check_signature(tmp_path / "there", "there", read_public_key(public)).model == "tiny"


def packed_artifacts(phone):
    with zipfile.ZipFile(phone.root / "pack.zip") as archive:
        return [artifact["name"] for artifact in json.loads(archive.read("manifest.json"))["artifacts"]]


def test_push_says_which_artifacts_are_for_other_chips(samesight_here, phone, bundle):
    reseal(bundle.folder, lambda a: a.model_copy(update={"soc": ("SM8650",)}) if a.name.endswith("pte") else a)
    done = samesight_here("device", "push", bundle.folder, "--force")
    assert done.stdout == "A1: Google Pixel 8 has tiny; for other chips, so left out: tiny.fp16.pte\n"
    assert packed_artifacts(phone) == ["tiny.fp32.tflite"]
    phone.write(properties=phone.config["properties"] | {"ro.soc.model": "sm8650"})
    assert samesight_here("device", "push", bundle.folder, "--force").stdout == "A1: Google Pixel 8 has tiny\n"
    assert packed_artifacts(phone) == ["tiny.fp32.tflite", "tiny.fp16.pte"]


def test_the_self_test_is_judged_and_kept(samesight_here, phone, bundle, results, tmp_path):
    phone.write(results=results.to_json())
    done = samesight_here("device", "self-test", bundle.folder, "--push", "--out", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert "tiny.fp32.tflite" in done.stdout and "pass" in done.stdout
    assert (tmp_path / "out.json").read_text() == results.to_json()
    kept = open_bundle(bundle.folder).verdicts()
    assert {(one.name, one.device, one.passed) for one in kept.apps} == {
        ("tiny.fp32.tflite", "Google Pixel 8", True),
        ("tiny.fp16.pte", "Google Pixel 8", True),
    }
    assert phone.left == []


def test_a_phone_that_answers_wrongly_fails(samesight_here, phone, bundle, results):
    case = results.runs[0].cases[0].model_copy(update={"tensor_sha256": "0" * 64})
    wrong = results.runs[0].model_copy(update={"cases": (case, *results.runs[0].cases[1:])})
    phone.write(results=results.model_copy(update={"runs": (wrong, *results.runs[1:])}).to_json())
    done = samesight_here("device", "self-test", bundle.folder, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert not told["passed"] and "another input tensor" in told["apps"][0]["reason"]


def broken(command, **fault):
    """(words of the sentence, how the phone is, what is asked of it): the connection ends at a command."""
    return ("went away", lambda phone: phone.fault(command, **fault), "self-test")


FAULTS = {
    "no phone": ("adb sees no phone", lambda phone: phone.write(phones=[]), "push"),
    "unauthorized": (
        "accept the question about USB debugging",
        lambda phone: phone.write(phones=[["A1", "unauthorized", ""]]),
        "push",
    ),
    "offline": ("is offline", lambda phone: phone.write(phones=[["A1", "offline", ""]]), "push"),
    "locked": ("is locked; unlock it", lambda phone: phone.write(locked=True), "push"),
    "no app": ("is not installed", lambda phone: phone.write(installed=[]), "push"),
    "a release": ("package not debuggable", lambda phone: phone.write(debuggable=False), "push"),
    "app refuses": ("the app says: bundle.zip: is not signed", lambda phone: phone.write(app="refuses"), "push"),
    "app does not start": ("does not start (Error type 3", lambda phone: phone.write(app="does not start"), "push"),
    "app ends": ("the app ended while it ran tiny on the NPU", lambda phone: phone.write(app="crashes"), "self-test"),
    "app hangs": ("did not end within 2 s", lambda phone: phone.write(app="hangs"), "self-test"),
    "app is silent": ("the app does not answer", lambda phone: phone.write(app="is silent"), "self-test"),
    "no results": (
        "run the self-test again",
        lambda phone: phone.write(app="tells nothing"),
        "self-test",
    ),
    "goes at once": broken("getprop", says="error: device 'A1' not found\n"),
    "goes while sending": broken("cat > files/errands", says="error: closed\n", reads=100),
    "goes silently": broken("cat > files/errands", code=0, reads=100),
    "goes while it runs": broken("cat files/errands/*said", says="adb: error: protocol fault (no status)\n"),
    "goes while fetching": broken("cat files/errands/*json", writes='{"schema', code=255),
    "gets unauthorized": (
        "does not trust this computer",
        lambda phone: phone.fault(
            "am start", says="error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
        ),
        "self-test",
    ),
    "no server": (
        "adb cannot list phones: * failed to start daemon",
        lambda phone: phone.fault("devices", says="* failed to start daemon\nerror: cannot connect to daemon\n"),
        "push",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_sentence_and_nothing_is_judged(
    name, samesight_here, phone, bundle, results, monkeypatch, tmp_path
):
    phone.write(results=results.to_json())
    words, arrange, verb = FAULTS[name]
    arrange(phone)
    monkeypatch.setattr(errands, "ANSWER_SECONDS", 1.0)
    before = (bundle.folder / "parity.json").read_bytes()
    more = ["--push", "--out", tmp_path / "out.json"] if verb == "self-test" else []
    more += ["--timeout", 2] if name == "app hangs" else []
    assert words in failure(samesight_here("device", verb, bundle.folder, *more))
    assert (bundle.folder / "parity.json").read_bytes() == before
    assert not (tmp_path / "out.json").exists()
    assert phone.left == []


def test_a_full_phone(samesight_here, phone, bundle, monkeypatch):
    full = errands.Errand.as_app

    def as_app(errand, command, doing, *more):
        return full(errand, command.replace("cat >", "dd of=/dev/full #"), doing, *more)

    monkeypatch.setattr(errands.Errand, "as_app", as_app)
    sentence = failure(samesight_here("device", "push", bundle.folder))
    assert sentence == "A1: the phone has no room while sending the bundle; make room on it and run the command again"
    assert phone.left == []


def test_a_pack_that_arrives_otherwise_is_not_opened(samesight_here, phone, bundle, monkeypatch):
    real = errands.Errand.as_app

    def as_app(errand, command, doing, *more):
        return real(errand, command.replace("cat >", "head -c 99 >"), doing, *more)

    monkeypatch.setattr(errands.Errand, "as_app", as_app)
    assert "did not arrive whole" in failure(samesight_here("device", "push", bundle.folder))
    assert phone.left == [] and not any("am start" in line for line in phone.commands)


def test_several_phones_need_a_serial(samesight_here, phone, bundle, monkeypatch):
    phone.write(phones=[["A1", "device", ""], ["B2", "device", ""], ["C3", "offline", ""]])
    assert failure(samesight_here("device", "push", bundle.folder), 2) == (
        "several phones are connected (A1, B2); name one by --serial"
    )
    assert samesight_here("device", "push", bundle.folder, "--serial", "B2").stdout.startswith("B2: ")
    monkeypatch.setenv("ANDROID_SERIAL", "A1")
    assert samesight_here("device", "push", bundle.folder).stdout.startswith("A1: ")
    assert failure(samesight_here("device", "push", bundle.folder, "--serial", "D4"), 2) == (
        "--serial D4: adb knows no such phone; it has A1, B2, C3"
    )
    # One that cannot be used does not stand in the way of one that can.
    monkeypatch.delenv("ANDROID_SERIAL")
    phone.write(phones=[["C3", "unauthorized", ""], ["B2", "device", ""]])
    assert samesight_here("device", "push", bundle.folder).stdout.startswith("B2: ")


def test_no_adb_or_one_that_cannot_run(samesight_here, phone, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(phone.adb.parent))
    phone.adb.chmod(0o644)
    assert failure(samesight_here("device", "list")) == f"{phone.adb}: may not be run; chmod +x {phone.adb}"
    phone.adb.unlink()
    assert "adb is not on the path; install Android's platform tools" in failure(samesight_here("device", "list"))
    home = tmp_path / "sdk" / "platform-tools"
    home.mkdir(parents=True)
    monkeypatch.setenv("ANDROID_HOME", str(home.parent))
    (home / "adb").write_text("no program")
    (home / "adb").chmod(0o755)
    assert "cannot be run (Exec format error)" in failure(samesight_here("device", "list"))


def test_doctor_has_a_row_for_adb(phone, monkeypatch):
    row = phone_check()
    assert (row.ready, row.found) == (True, f"35.0.2-12147458, {phone.adb}")
    phone.fault("version", writes="adb of another kind\n", code=0)
    assert not phone_check().ready and "is no adb (adb of another kind)" in phone_check().found
    monkeypatch.setenv("PATH", "")
    assert phone_check().found.startswith("adb is not on the path; install")


def test_an_adb_that_hangs_is_given_up(samesight_here, phone, monkeypatch):
    phone.fault("devices", hangs=True)
    monkeypatch.setattr(adb, "SECONDS", 0.3)
    assert "adb did not answer within 0 s; run `adb kill-server`" in failure(samesight_here("device", "list"))
    phone.write(faults=[])
    phone.fault("getprop", hangs=True)
    monkeypatch.setattr(adb, "SECONDS", 20.0)
    monkeypatch.setattr(adb.Bridge.shell, "__defaults__", (0.3, None, True))
    sentence = failure(samesight_here("device", "list"))
    assert sentence.startswith("A1: while asking the phone who it is: adb did not answer")


def test_results_of_another_bundle_are_not_judged(samesight_here, phone, bundle, results):
    phone.write(results=results.model_copy(update={"manifest_sha256": "1" * 64}).to_json())
    before = (bundle.folder / "parity.json").read_bytes()
    assert "results of another bundle" in failure(samesight_here("device", "self-test", bundle.folder))
    assert (bundle.folder / "parity.json").read_bytes() == before


def test_wrong_requests(samesight_here, phone, bundle):
    assert "--push" in failure(samesight_here("device", "self-test", bundle.folder, "--force"), 2)
    assert "--app a; rm" in failure(samesight_here("device", "push", bundle.folder, "--app", "a; rm -rf /"), 2)
    (bundle.folder / "parity.json").unlink()
    assert "run `samesight verify" in failure(samesight_here("device", "self-test", bundle.folder))
    assert "has no verdicts" in failure(samesight_here("device", "push", bundle.folder))
    assert phone.commands == []


@pytest.fixture
def tool(tmp_path):
    """A program for ARM, as far as its first bytes say."""
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"\x7fELF\x02\x01" + bytes(10) + struct.pack("<HH", 2, 183))
    return path


# As google-ai-edge/LiteRT's and pytorch/executorch's sources print it; the figures are made up.
LITERT = """INFO: Running benchmark for at least 10 iterations and at least 0.5 seconds but no more than 300 s.
INFO: count=11 first=9120 curr=8011 min=7990 max=9120 avg=8123.4 std=301 p5=7990 median=8012 p95=9120
INFO: Running benchmark for at least 100 iterations and at least 0 seconds but terminate if exceeding 300 seconds.
INFO: count=100 first=8020 curr=8001 min=7950 max=9333 avg=8060.5 std=97 p5=7960 median=8044 p95=8233
INFO: Inference timings in us: Init: 20500, First inference: 9120, Warmup (avg): 8123.4, Inference (avg): 8060.5
"""
EXECUTORCH = "Model loaded in 12.500000 ms.\n" + "".join(
    f"I 00:00:00.1 executorch:executor_runner.cpp:700] Iteration {n + 1} of 110: {50 if n < 10 else n - 9}.5 ms\n"
    for n in range(110)
)


def timed(run, *more):
    done = run("device", "bench", *more, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_benchmark_model_is_timed_as_it_tells(samesight_here, phone, bundle, tool):
    phone.write(tool=LITERT)
    about = [bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", tool]
    told = timed(samesight_here, *about, "--threads", 4)
    assert told["latency"] == {
        "runs": 100, "mean": 8.0605, "minimum": 7.95, "maximum": 9.333, "p50": 8.044, "p90": None, "p95": 8.233,
        "p99": None, "first": 9.12, "load": 20.5,
    }  # fmt: skip
    assert (told["hot"], told["before"], told["unit"]) == (False, {"status": 0, "battery": 31.2}, "cpu")
    asked = (phone.root / "arguments").read_text()
    assert (
        "--warmup_runs=10 --num_runs=100 --min_secs=0" in asked and "--num_threads=4" in asked and "use_" not in asked
    )
    assert phone.left == []
    text = samesight_here("device", "bench", *about).stdout
    assert "ms: p50 8.044, p95 8.233, mean 8.06" in text and "p99" not in text


def test_executor_runner_is_timed_run_by_run(samesight_here, phone, bundle, tool):
    phone.write(tool=EXECUTORCH)
    reseal(bundle.folder, only("tiny.fp32.tflite", lambda a: a.model_copy(update={"format": "executorch"})))
    told = timed(samesight_here, bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", tool)
    assert (phone.root / "arguments").read_text().split()[1:] == ["--num_executions=110", "--print_output=none"]
    # 1.5 … 100.5: nearest rank.
    latency = told["latency"]
    assert [latency[name] for name in ("runs", "p50", "p90", "p95", "p99", "mean")] == [
        100,
        50.5,
        90.5,
        95.5,
        99.5,
        51.0,
    ]
    assert (latency["first"], latency["load"]) == (50.5, 12.5)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (LITERT + "WARN: Unconsumed cmdline flags: --use_npu=true --use_cpu=false", "does not know --use_npu"),
        (LITERT + "WARN: Unconsumed cmdline flags: --use_cpu=false", "did not run all of the network on the NPU"),
        ("INFO: count=0\nINFO: count=0\n", "told no times; its last line: INFO: count=0"),
        ("", "told no times"),
    ],
)
def test_times_that_were_not_measured_there_are_none(said, words, samesight_here, phone, bundle, tool):
    phone.write(tool=said)
    about = [bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", tool, "--unit", "npu"]
    assert words in failure(samesight_here("device", "bench", *about))
    assert phone.left == []


def test_a_unit_that_ran_all_of_it(samesight_here, phone, bundle, tool, tmp_path):
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs/libLiteRtDispatch_Qualcomm.so").write_bytes(b"x")
    phone.write(tool=LITERT)
    about = [bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", tool, "--libraries", tmp_path / "libs"]
    assert timed(samesight_here, *about, "--unit", "npu")["latency"]["p50"] == 8.044
    asked = (phone.root / "arguments").read_text()
    assert "--use_npu=true --use_cpu=false --require_full_delegation=true --dispatch_library_path=" in asked
    whole = "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.\n"
    phone.write(tool=whole + LITERT + "WARN: Unconsumed cmdline flags: --use_cpu=false")
    assert timed(samesight_here, *about, "--unit", "gpu")["latency"]["p50"] == 8.044


def test_a_hot_phone_is_waited_for_or_refused(samesight_here, phone, bundle, tool):
    about = [bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", tool]
    hot, cool = "Thermal Status: 2\n", "Thermal Status: 0\n"
    phone.write(tool=LITERT, thermal=[hot, hot, cool])
    done = samesight_here("device", "bench", *about, "--json")
    assert json.loads(done.stdout)["before"]["status"] == 0
    assert done.stderr == "A1: hot (thermal status moderate, battery 31.2 °C); waiting up to 600 s until it is cool\n"
    phone.write(thermal=[hot])
    assert "the phone is too hot (thermal status moderate" in failure(
        samesight_here("device", "bench", *about, "--cool-down", 0)
    )
    assert not any("arguments" in line for line in phone.left) and phone.left == []
    phone.write(thermal=[cool, hot])
    done = samesight_here("device", "bench", *about)
    assert done.returncode == 0 and "the phone grew hot meanwhile" in done.stdout
    # Before Android 10 there is the battery alone; with neither nothing is proven.
    phone.write(thermal=["Can't find service: thermalservice\n"], battery="  temperature: 405\n")
    assert "no thermal status, battery 40.5 °C" in failure(samesight_here("device", "bench", *about, "--cool-down", 0))
    phone.write(battery="")
    assert "does not say how hot it is" in failure(samesight_here("device", "bench", *about))


def test_what_cannot_be_timed_is_refused_before_a_phone_is_asked(samesight_here, phone, bundle, tool, tmp_path):
    def refused(*more, code):
        return failure(samesight_here("device", "bench", bundle.folder, "--tool", tool, *more), code)

    assert "choose cpu" in refused("--artifact", "tiny.fp16.pte", "--unit", "gpu", code=2)
    assert "nothing: has no .so" in refused(
        "--artifact", "tiny.fp32.tflite", "--libraries", tmp_path / "nothing", code=2
    )
    reseal(bundle.folder, lambda artifact: artifact.model_copy(update={"format": "onnx"}))
    assert "has no benchmark program" in refused("--artifact", "tiny.fp32.tflite", code=2)
    assert phone.commands == []


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"#!/bin/sh\n", "is no program for Android"),
        (b"\x7fELF\x02\x01" + bytes(10) + struct.pack("<HH", 2, 62), "is built for x86_64, and the phone is arm64-v8a"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_program_of_another_kind_is_not_pushed(head, words, samesight_here, phone, bundle, tmp_path):
    program = tmp_path / "program"
    if head:
        program.write_bytes(head)
    about = [bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", program]
    assert words in failure(samesight_here("device", "bench", *about))
    assert not any("push" in line for line in phone.commands)


def test_a_program_that_fails_is_quoted(samesight_here, phone, bundle, tool):
    phone.write(tool="ERROR: Failed to initialize XNNPACK\nBenchmarking failed.\n", tool_code=1)
    about = [bundle.folder, "--artifact", "tiny.fp32.tflite", "--tool", tool]
    sentence = failure(samesight_here("device", "bench", *about))
    assert sentence.startswith("A1: failed while running benchmark_model: Benchmarking failed.; run it by hand")
    assert phone.left == []


def test_help_has_examples_and_imports_nothing_heavy(samesight):
    done = samesight("device", "--help")
    assert done.returncode == 0 and "samesight device self-test demo/digits --push" in done.stdout
    for verb in ("list", "push", "self-test", "bench"):
        assert "Examples:" in samesight("device", verb, "--help").stdout
