"""`samesight install`: a bundle into an app's sources and out again, and what is refused."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from samesight.cli.install import install as command
from samesight.contract.archive import manifest_hashes, pack_bundle, unpack_bundle
from samesight.contract.bundle import open_bundle, replacing_bundle, seal
from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.golden import write_cases
from samesight.contract.signature import new_key, read_public_key
from samesight.contract.verdicts import Verdict, Verdicts
from samesight.conversion.apps.install import find_platform, install, undo
from support.bundles import SPEC, artifact, case

KEY = "app/src/main/assets/pack-key.der"
NAMES = ("tiny.fp32.tflite", "tiny.fp32.pte", "tiny.fp32.onnx")
FORMATS = {"tflite": "litert", "pte": "executorch", "onnx": "onnx"}


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "android_app"
    (folder / "app").mkdir(parents=True)
    (folder / "settings.gradle.kts").write_text("")
    return folder


@pytest.fixture
def make(tmp_path):
    def bundle(content=b"weights", names=NAMES, passed=True):
        with replacing_bundle(tmp_path / "tiny") as new:
            (new / "model.json").write_text(SPEC.to_json())
            (new / "artifacts").mkdir()
            for name in names:
                (new / "artifacts" / name).write_bytes(content)
            write_cases(new, [case(0), case(1)])
            (new / "server.json").write_text("{}")
            seal(new, SPEC, tuple(artifact(name, FORMATS[name.split(".")[-1]]) for name in names), None, "0")
        made = open_bundle(tmp_path / "tiny")
        if passed is not None:
            rows = tuple(
                Verdict(
                    name=name,
                    format=FORMATS[name.split(".")[-1]],
                    precision="fp32",
                    unit="cpu",
                    runner="a runner",
                    passed=passed,
                    reason="it is bad",
                    cases=2,
                    bytes=7,
                )
                for name in names
            )
            made.write_verdicts(Verdicts(manifest_sha256=made.manifest_sha256(), passed=passed, artifacts=rows))
        return made

    return bundle


def test_exactly_androids_artifacts_arrive_checked(make, app):
    done = install(make(), app)
    assert done.folder == app / "app/src/main/assets/bundles/tiny" and done.artifacts == NAMES[:2]
    arrived = open_bundle(done.folder)
    assert sorted(path.name for path in (done.folder / "artifacts").iterdir()) == sorted(NAMES[:2])
    assert not (done.folder / "server.json").exists() and len(arrived.golden_cases()) == 2
    assert arrived.verdicts().passed and [v.name for v in arrived.verdicts().artifacts] == list(NAMES[:2])


def test_undo_takes_out_or_brings_back(make, app):
    target = install(make(b"first"), app).folder
    undo("tiny", app)
    assert not target.exists()
    install(make(b"first"), app)
    install(make(b"second"), app)
    assert (target / "artifacts" / NAMES[0]).read_bytes() == b"second"
    assert undo("tiny", app).artifacts == NAMES[:2]
    assert (target / "artifacts" / NAMES[0]).read_bytes() == b"first" and open_bundle(target)
    undo("tiny", app)
    with pytest.raises(SamesightError, match="nothing to undo"):
        undo("tiny", app)


def test_an_earlier_apps_leftover_is_not_brought_back(make, app):
    install(make(b"first"), app)
    install(make(b"second"), app)
    target = app / "app/src/main/assets/bundles/tiny"
    for path in sorted(target.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    target.rmdir()
    install(make(b"third"), app)
    undo("tiny", app)
    assert not target.exists()


@pytest.mark.parametrize(
    ("passed", "sentence"), [(None, "has no verdicts; run"), (False, r"failed: tiny\.fp32\.tflite \(it is bad\), tiny")]
)
def test_without_a_passing_verdict_it_takes_force(make, app, passed, sentence):
    bundle = make(passed=passed)
    with pytest.raises(SamesightError, match=sentence):
        install(bundle, app)
    assert not (app / "app/src").exists()
    assert install(bundle, app, force=True).artifacts == NAMES[:2]


def test_other_folders_and_bundles_without_android_are_refused(make, app, tmp_path):
    with pytest.raises(UsageError, match="no folder of an app"):
        find_platform(tmp_path)
    with pytest.raises(SamesightError, match="no artifact for android"):
        install(make(names=NAMES[2:]), app)


def test_a_damaged_bundle_never_arrives(make, app):
    bundle = make()
    (bundle.folder / "artifacts" / NAMES[0]).write_bytes(b"WEIGHTS")
    result = CliRunner().invoke(command, [str(bundle.folder), str(app)])
    assert isinstance(result.exception, SamesightError) and "content was changed" in str(result.exception)
    assert not (app / "app/src").exists()


# Stops an installation at its first or second rename, or while it writes the file of this name: as a kill does.
STOPPED = """
import os, sys
from pathlib import Path
from samesight.contract.bundle import open_bundle
from samesight.conversion.apps.install import install, undo

what, where, bundle, app = sys.argv[1:]
rename, write, count = Path.rename, Path.write_bytes, 0

def renamed(path, target):
    global count
    if "bundles.replaced" in (*Path(path).parts, *Path(target).parts) and path.suffix != ".new":
        count += 1
        if where == f"rename {count}":
            os._exit(9)
    return rename(path, target)

def written(path, data):
    write(path, data)
    if where == path.name:
        os._exit(9)

Path.rename, Path.write_bytes = renamed, written
undo("tiny", Path(app)) if what == "undo" else install(open_bundle(Path(bundle)), Path(app))
"""


def stop(what, where, bundle, app):
    command = [sys.executable, "-c", STOPPED, what, where, str(bundle), str(app)]
    assert subprocess.run(command, check=False).returncode == 9


def shown(app):
    """What the app would be built with: name of each of its bundles, and the content of one file in it."""
    bundles = app / "app/src/main/assets/bundles"
    return {path.name: (path / "artifacts" / NAMES[0]).read_bytes() for path in bundles.glob("*")}


@pytest.mark.parametrize(
    ("where", "built", "after_undo"),
    [
        (NAMES[0], {"tiny": b"second"}, {"tiny": b"first"}),
        ("rename 1", {"tiny": b"second"}, {"tiny": b"first"}),
        ("rename 2", {}, {"tiny": b"first"}),
        ("rename 3", {"tiny": b"third"}, {"tiny": b"second"}),
    ],
)
def test_a_killed_installation_leaves_the_app_a_whole_bundle_or_none(make, app, where, built, after_undo):
    install(make(b"first"), app)
    install(make(b"second"), app)
    stop("install", where, make(b"third").folder, app)
    assert shown(app) == built
    undo("tiny", app)
    assert shown(app) == after_undo
    assert not [path.name for path in (app / "bundles.replaced").glob("*.*")]


def test_a_killed_first_installation_leaves_nothing(make, app):
    stop("install", NAMES[1], make().folder, app)
    assert not (app / "app/src").exists()
    with pytest.raises(SamesightError, match="nothing to undo"):
        undo("tiny", app)
    assert not (app / "bundles.replaced").exists()


def test_a_killed_undo_is_finished_by_the_next_command(make, app):
    install(make(b"first"), app)
    install(make(b"second"), app)
    stop("undo", "rename 2", make().folder, app)
    install(make(b"third"), app)
    assert shown(app) == {"tiny": b"third"}
    undo("tiny", app)
    assert shown(app) == {"tiny": b"first"}


def test_an_error_in_the_middle_leaves_what_was_there(make, app, monkeypatch):
    install(make(b"first"), app)
    second = make(b"second")

    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SamesightError, match="No space left"):
        install(second, app)
    assert shown(app) == {"tiny": b"first"} and not (app / "bundles.replaced").exists()


def test_what_is_no_bundle_is_left_alone(make, app):
    mine = app / "app/src/main/assets/bundles/tiny/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(SamesightError, match="is not a bundle, so it is left alone"):
        install(make(), app)
    assert mine.read_text() == "mine"


def test_the_command(make, app):
    folder = make().folder
    told = CliRunner().invoke(command, [str(folder), str(app), "--json"])
    assert json.loads(told.stdout)["artifacts"] == list(NAMES[:2])
    told = CliRunner().invoke(command, [str(folder), str(app), "--undo"])
    assert told.exit_code == 0 and "taken out" in told.stdout


def test_a_key_comes_with_the_bundle_and_stays(make, app, tmp_path):
    public = new_key(tmp_path / "keys")[1]
    bundle = make()
    install(bundle, app)
    assert not (app / KEY).exists()
    made = CliRunner().invoke(command, [str(bundle.folder), str(app), "--key", str(public)])
    assert made.exit_code == 0, made.output
    # What java.security makes a key of: the DER form (RFC 5480), here from the PEM file by its own definition.
    lines = public.read_text().splitlines()
    assert (app / KEY).read_bytes() == base64.b64decode("".join(lines[1:-1]))
    undo("tiny", app)
    assert (app / KEY).exists()
    refused = CliRunner().invoke(command, [str(bundle.folder), str(app), "--key", str(public), "--undo"])
    assert isinstance(refused.exception, UsageError)
    private = CliRunner().invoke(
        command, [str(bundle.folder), str(app), "--key", str(tmp_path / "keys/samesight-key.pem")]
    )
    assert isinstance(private.exception, SamesightError) and "is no public key" in str(private.exception)


@pytest.fixture
def ios_app(tmp_path):
    folder = tmp_path / "ios_app"
    (folder / "App").mkdir(parents=True)
    (folder / "project.yml").write_text("")
    return folder


def test_exactly_ioss_artifacts_arrive_and_go_again(make, ios_app, tmp_path):
    key = read_public_key(new_key(tmp_path / "keys")[1])
    done = install(make(), ios_app, key=key)
    assert done.folder == ios_app / "App/Resources/bundles/tiny"
    # LiteRT's is Android's alone.
    assert done.artifacts == ("tiny.fp32.pte",) and open_bundle(done.folder).verdicts().passed
    assert (ios_app / "App/Resources/pack-key.der").read_bytes() == bytes.fromhex(key.text)
    undo("tiny", ios_app)
    assert not done.folder.exists()


def test_the_ios_app_gets_tflite_files_on_request_and_its_results_are_those_of_the_bundle(make, ios_app, tmp_path):
    bundle = make()
    assert install(bundle, ios_app, more=("litert",)).artifacts == NAMES[:2]
    arrived = open_bundle(ios_app / "App/Resources/bundles/tiny")
    assert arrived.verdicts().passed
    pack_bundle(bundle, "ios", tmp_path / "p.zip", more=("litert",))
    unpack_bundle(tmp_path / "p.zip", tmp_path / "p")
    for there in (arrived, open_bundle(tmp_path / "p")):
        assert [one.name for one in there.manifest.artifacts] == list(NAMES[:2])
        assert there.manifest_sha256() in manifest_hashes(bundle)


@pytest.mark.parametrize(("app_of", "name"), [("android", "litert"), ("ios", "onnx"), ("ios", "nothing")])
def test_only_formats_that_an_app_has_an_engine_for_go_on_request(app_of, name, make, app, ios_app):
    with pytest.raises(UsageError, match=f"--with {name}: apps for {app_of} have no such engine"):
        install(make(), {"android": app, "ios": ios_app}[app_of], more=(name,))
    without = make(names=NAMES[1:])
    with pytest.raises(SamesightError, match="has no artifact of litert"):
        install(without, ios_app, more=("litert",))


def test_the_ios_app_too_takes_force_without_a_passing_verdict(make, ios_app):
    with pytest.raises(SamesightError, match="failed: tiny"):
        install(make(passed=False), ios_app)
    assert not (ios_app / "App/Resources").exists()
    assert install(make(passed=False), ios_app, force=True).artifacts == ("tiny.fp32.pte",)
