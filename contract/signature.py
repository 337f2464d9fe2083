"""Signed packs: `signature.json` says who vouches for a packed bundle, and for which version of which model.

An ECDSA signature (curve P-256, SHA-256) over the very bytes of a statement, which is a JSON text in the document. It
names the hashes of `manifest.json`, and so of every file, and of `parity.json`, and so of the verdicts. Keys are PEM
files, as OpenSSL writes them; java.security and CryptoKit know the curve.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from samesight.contract.bundle import MANIFEST, SIGNATURE, VERDICTS
from samesight.contract.documents import Document, parse_document, read_document
from samesight.contract.errors import SamesightError
from samesight.contract.files import file_sha256, read_plain, sha256, unwritable
from samesight.contract.manifest import Sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PRIVATE_KEY, PUBLIC_KEY = "samesight-key.pem", "samesight-key.pub.pem"
KEY_BYTES = 10_000
# A public key of the curve P-256 (RFC 5480): what is the same in all of them, then the point's two coordinates.
PUBLIC_KEY_PREFIX = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"

Version = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Statement(Document):
    """What is signed: `parity_sha256` is null for a pack without verdicts, and the greater `version` is newer."""

    schema_version: Literal[1] = 1
    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    version: Version
    manifest_sha256: Sha256
    parity_sha256: Sha256 | None


class Signature(Document):
    """`signature.json`: a statement's text, the key that signed it (DER, in hexadecimal digits), and the signature."""

    schema_version: Literal[1] = 1
    statement: Annotated[str, Field(min_length=1, max_length=10_000)]
    public_key: Annotated[str, Field(pattern=rf"^{PUBLIC_KEY_PREFIX}[0-9a-f]{{128}}$")]
    signature: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){8,80}$")]


@dataclass(frozen=True)
class PublicKey:
    """A key that packs are held to; `text` is its DER form in hexadecimal digits."""

    text: str

    @property
    def fingerprint(self) -> str:
        """The first 16 of the 64 hexadecimal digits of the SHA-256 of the key's DER form."""
        return sha256(bytes.fromhex(self.text))[:16]


@dataclass(frozen=True)
class Signer:
    """A private key, and the version that it gives to a pack."""

    key: "EllipticCurvePrivateKey"
    version: int

    def sign(self, model: str, manifest: bytes, verdicts: bytes | None) -> Signature:
        """Sign the hashes of a pack's documents; the same documents give the same bytes (RFC 6979)."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        statement = Statement(
            model=model,
            version=self.version,
            manifest_sha256=sha256(manifest),
            parity_sha256=None if verdicts is None else sha256(verdicts),
        )
        text = json.dumps(statement.model_dump(mode="json"))
        signature = self.key.sign(text.encode(), ECDSA(SHA256(), deterministic_signing=True))
        return Signature(statement=text, public_key=_der(self.key.public_key()).hex(), signature=signature.hex())


def new_key(folder: Path) -> tuple[Path, Path]:
    """Write a new private key, which its owner alone may read, and its public key; gives their paths.

    Raises:
        SamesightError: one of the files is there already, or the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    paths = folder / PRIVATE_KEY, folder / PUBLIC_KEY
    for path in paths:
        if path.exists() or path.is_symlink():
            raise SamesightError(f"{path}: is there already, and a key is never replaced; choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data, mode in ((paths[0], secret, 0o600), (paths[1], public, 0o644)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
    except OSError as error:
        raise unwritable(folder, error) from None
    return paths


def read_private_key(path: Path) -> "EllipticCurvePrivateKey":
    """Read a private key.

    Raises:
        SamesightError: missing, no such key, or one with a password.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_key_bytes(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a password
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise SamesightError(f"{path}: is no private key for packs; `samesight keys new` makes one")
    return key


def read_public_key(path: Path) -> PublicKey:
    """Read a public key (errors as in `read_private_key`)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_key_bytes(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise SamesightError(f"{path}: is no public key for packs; `samesight keys new` makes one beside a private key")
    return PublicKey(_der(key).hex())


def read_signature(folder: Path) -> Signature | None:
    """The signature of a bundle, unchecked; None where there is none."""
    path = folder / SIGNATURE
    return read_document(Signature, path) if path.exists() else None


def check_signature(folder: Path, source: str, key: PublicKey | None = None) -> Statement:
    """Check that a bundle was signed as it is; gives what the signature states.

    Args:
        folder: of the bundle.
        source: begins the error message.
        key: who has to have signed it; without one, whoever signed it is taken.

    Raises:
        SamesightError: not signed, by another key, or changed since; one sentence.
    """
    signature = read_signature(folder)
    if signature is None:
        taken = f", and only packs signed by key {key.fingerprint} are taken" if key else ""
        raise SamesightError(f"{source}: is not signed{taken}")
    found = PublicKey(signature.public_key)
    if key is not None and found != key:
        raise SamesightError(f"{source}: is signed by key {found.fingerprint}, and only {key.fingerprint} is taken")
    if not _holds(signature):
        raise SamesightError(f"{source}: its signature does not hold; {SIGNATURE} was changed, get the file again")
    statement = parse_document(Statement, signature.statement, f"{source}: {SIGNATURE}")
    if statement.manifest_sha256 != file_sha256(folder / MANIFEST):
        raise SamesightError(f"{source}: was changed after it was signed ({MANIFEST} differs); get the file again")
    verdicts = folder / VERDICTS
    if statement.parity_sha256 != (file_sha256(verdicts) if verdicts.exists() else None):
        raise SamesightError(f"{source}: was changed after it was signed ({VERDICTS} differs); get the file again")
    return statement


def check_model(statement: Statement, model: str, source: str) -> None:
    """Refuse a signature for another model.

    Raises:
        SamesightError: with one sentence.
    """
    if statement.model != model:
        raise SamesightError(f"{source}: its signature is for the model {statement.model}, and it is of {model}")


def check_newer(statement: Statement, present: Statement, source: str) -> None:
    """Refuse a pack that is older than the one that is there, or that is another of the same version.

    Raises:
        SamesightError: with one sentence.
    """
    if statement.version < present.version or (statement.version == present.version and statement != present):
        raise SamesightError(
            f"{source}: is version {statement.version} of {statement.model}, and version {present.version} is there; "
            "only a newer one is taken"
        )


def _holds(signature: Signature) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(bytes.fromhex(signature.public_key))
        assert isinstance(key, EllipticCurvePublicKey)
        key.verify(bytes.fromhex(signature.signature), signature.statement.encode(), ECDSA(SHA256()))
    except (InvalidSignature, ValueError):  # ValueError: the point is not on the curve
        return False
    return True


def _der(key: "EllipticCurvePublicKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_bytes(path: Path) -> bytes:
    try:
        return read_plain(path, KEY_BYTES)
    except OSError as error:
        raise SamesightError(f"{path}: {error.strerror or error}; `samesight keys new` makes a key") from None
