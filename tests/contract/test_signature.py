"""Signed packs: what was signed is taken, and every forgery is refused in one sentence."""

import json
import re
import stat

import pytest
from click.testing import CliRunner

from samesight.cli.main import cli
from samesight.contract.archive import pack_bundle, unpack_bundle
from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError
from samesight.contract.signature import (
    Signer,
    Statement,
    check_model,
    check_newer,
    check_signature,
    new_key,
    read_private_key,
    read_public_key,
)
from support.signed_packs import FORGERIES, VERSION, Keys, judged_bundle, renamed, repacked, signed_pack


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys.new(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def pack(keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    return signed_pack(folder / "tiny.zip", judged_bundle(folder / "tiny"), keys)


def check(archive, folder, key):
    unpack_bundle(archive, folder)
    statement = check_signature(folder, str(archive), key)
    check_model(statement, open_bundle(folder).spec.name, str(archive))
    return statement


def test_what_was_signed_is_taken(pack, keys, tmp_path):
    statement = check(pack, tmp_path / "b", keys.public)
    assert (statement.model, statement.version) == ("tiny", VERSION)
    assert check_signature(tmp_path / "b", "b") == statement


def test_the_same_bundle_version_and_key_give_the_same_bytes(pack, keys, tmp_path):
    assert signed_pack(tmp_path / "again.zip", judged_bundle(tmp_path / "b"), keys).read_bytes() == pack.read_bytes()


def test_openssl_agrees_that_the_signature_holds(pack, tmp_path):
    """The document's own bytes, checked without our code (and without Python's library, where openssl is there)."""
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    unpack_bundle(pack, tmp_path / "b")
    document = json.loads((tmp_path / "b/signature.json").read_text())
    for name in ("public_key", "signature"):
        (tmp_path / name).write_bytes(bytes.fromhex(document[name]))
    (tmp_path / "statement").write_text(document["statement"])
    command = ["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", tmp_path / "public_key"]
    made = subprocess.run(
        [*command, "-signature", tmp_path / "signature", tmp_path / "statement"], capture_output=True, check=False
    )
    assert made.stdout.strip() == b"Verified OK"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(pack, keys, tmp_path, name):
    change, sentence = FORGERIES[name]
    forged = repacked(pack, tmp_path / "forged.zip", change)
    unpack_bundle(forged, tmp_path / "b")
    open_bundle(tmp_path / "b")  # without the signature nothing is amiss
    with pytest.raises(SamesightError) as error:
        check(forged, tmp_path / "b", keys.public)
    assert str(error.value) == f"{forged}: {sentence.format(key=keys.public.fingerprint)}"


def test_another_key_is_refused(pack, keys, tmp_path):
    other = Keys.new(tmp_path)
    forged = signed_pack(tmp_path / "forged.zip", judged_bundle(tmp_path / "tiny", content=b"other"), other)
    expected = f"is signed by key {other.public.fingerprint}, and only {keys.public.fingerprint} is taken"
    with pytest.raises(SamesightError, match=re.escape(expected)):
        check(forged, tmp_path / "b", keys.public)


def test_a_signature_of_another_model_is_refused(pack, keys, tmp_path):
    bundle = judged_bundle(tmp_path / "tiny")

    class Other(Signer):
        def sign(self, model, manifest, verdicts):
            return super().sign("other", manifest, verdicts)

    pack_bundle(bundle, "all", tmp_path / "p.zip", Other(keys.private, 3))
    with pytest.raises(SamesightError, match="its signature is for the model other, and it is of tiny"):
        check(tmp_path / "p.zip", tmp_path / "b", keys.public)
    # A renamed pack has another manifest than the one that was signed.
    with pytest.raises(SamesightError, match=r"manifest\.json differs"):
        check(repacked(pack, tmp_path / "r.zip", renamed), tmp_path / "c", keys.public)


def test_versions_only_rise():
    def statement(version, manifest="a"):
        return Statement(model="tiny", version=version, manifest_sha256=manifest * 64, parity_sha256=None)

    check_newer(statement(8), statement(7), "p.zip")
    check_newer(statement(7), statement(7), "p.zip")
    for older in (statement(6), statement(7, "b")):
        with pytest.raises(SamesightError, match=r"and version 7 is there; only a newer one is taken"):
            check_newer(older, statement(7), "p.zip")


def test_a_key_is_secret_and_never_replaced(tmp_path):
    private, public = new_key(tmp_path / "keys")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = private.read_bytes(), public.read_bytes()
    for gone, left in ((None, private), (private, public)):
        if gone:
            gone.unlink()
        with pytest.raises(SamesightError, match=f"{left.name}: is there already, and a key is never replaced"):
            new_key(tmp_path / "keys")
    assert public.read_bytes() == before[1] and not private.exists()


def test_what_is_no_key_is_a_sentence(tmp_path):
    private, public = new_key(tmp_path)
    (tmp_path / "text").write_text("no key")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    for read, path, sentence in (
        (read_private_key, public, "is no private key for packs"),
        (read_public_key, private, "is no public key for packs"),
        (read_private_key, tmp_path / "text", "is no private key"),
        (read_public_key, tmp_path / "text", "is no public key"),
        (read_public_key, tmp_path / "large", "has more than 10,000 bytes"),
        (read_private_key, tmp_path / "none", "No such file or directory"),
    ):
        with pytest.raises(SamesightError, match=sentence):
            read(path)


def run(*arguments):
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    if isinstance(result.exception, SamesightError):
        return str(result.exception)
    assert result.exception is None, result.exception
    return result.output


def test_the_command_line_signs_checks_and_shows(tmp_path):
    bundle, keys = tmp_path / "tiny", tmp_path / "keys"
    judged_bundle(bundle)
    fingerprint = json.loads(run("keys", "new", "--out", keys, "--json"))["fingerprint"]
    pack, public = tmp_path / "p.zip", keys / "samesight-key.pub.pem"
    run("pack", bundle, "--out", pack, "--sign", keys / "samesight-key.pem", "--version", 12)
    checked = json.loads(run("verify", pack, "--key", public, "--json"))
    assert checked == {"model": "tiny", "version": 12, "key": fingerprint, "passed": True}
    run("pack", "--unpack", pack, "--out", tmp_path / "out")
    assert f"as it was signed by key {fingerprint}" in run("verify", tmp_path / "out", "--key", public)
    assert f"signed    by key {fingerprint} as version 12, and is as it was signed" in run("inspect", tmp_path / "out")
    assert "signed" not in run("inspect", bundle)
    (tmp_path / "out/parity.json").unlink()
    assert "parity.json differs" in run("inspect", tmp_path / "out")
    assert "parity.json differs" in run("verify", tmp_path / "out", "--key", public)
    assert "is not signed" in run("verify", bundle, "--key", public)
    # Without a number the time is one.
    numbered = json.loads(run("pack", bundle, "--out", pack, "--sign", keys / "samesight-key.pem", "--json"))
    assert numbered["version"] > 1_700_000_000
    assert "give --sign KEY as well" in run("pack", bundle, "--version", 3)
