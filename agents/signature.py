"""Ed25519 signatures of messages, and the keys of those who sign here, made once and kept in the data folder.

Source: RFC 8032, by the `cryptography` package, which is imported when the first one is made or checked.
"""

import base64
import hmac
import os
import tempfile
from pathlib import Path

from msgspec import Struct, json
from msgspec.structs import replace

from events.conversation import Letter, Scope, key_bytes, key_name, signed_bytes


class Key(Struct, frozen=True):
    """One sender's private key; `seed` has 32 bytes and never leaves this machine."""

    sender: str
    seed: bytes

    @property
    def public(self) -> str:
        """Return the public key, base64."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return base64.b64encode(Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()).decode()

    @property
    def name(self) -> str:
        """Return the key's id."""
        return key_name(self.public)

    def sign(self, content: bytes) -> str:
        """Return the signature over content, base64."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return base64.b64encode(Ed25519PrivateKey.from_private_bytes(self.seed).sign(content)).decode()

    def signed(self, tenant: str, letter: Letter) -> Letter:
        """Return a message with our signature."""
        named = replace(letter, key_id=self.name)
        return replace(named, signature=self.sign(signed_bytes(tenant, named)))

    def hands_over(self, tenant: str, public_key: str, scope: Scope) -> str:
        """Return the proof that this key's owner wants another one in its place."""
        return self.sign(key_bytes(tenant, self.sender, public_key, scope))


def is_signed(public_key: str, content: bytes, signature: str) -> bool:
    """Return whether a signature over content is by this key; whatever is no key or no signature is not."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return True


class Keyring:
    """The keys in a folder: one file each, readable by its owner alone.

    A first key follows from a secret that all machines of a house share, so that they sign alike; later ones are drawn.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder, self._secret = folder, secret

    def key(self, tenant: str, sender: str) -> Key:
        """Return a sender's key; made if there is none. Two that make one at once get the same."""
        path = self._path(tenant, sender)
        if not path.exists():
            self._keep(path, hmac.digest(self._secret, json.encode(["smolit:seed:1", tenant, sender]), "sha256"))
        return Key(sender, path.read_bytes())

    def fresh(self, tenant: str, sender: str) -> Key:
        """Return a new key beside the one in use; `adopt` puts it in its place."""
        path = self._path(tenant, sender).with_suffix(".next")
        path.unlink(missing_ok=True)
        self._keep(path, os.urandom(32))
        return Key(sender, path.read_bytes())

    def adopt(self, tenant: str, sender: str) -> None:
        """Use the fresh key from now on."""
        path = self._path(tenant, sender)
        path.with_suffix(".next").replace(path)

    def _path(self, tenant: str, sender: str) -> Path:
        named = base64.urlsafe_b64encode(f"{tenant}\n{sender}".encode()).decode().rstrip("=")
        return self._folder / f"{named}.key"

    def _keep(self, path: Path, seed: bytes) -> None:
        """Write a key whole or not at all; the first one stays."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, mine = tempfile.mkstemp(dir=self._folder)  # readable by its owner alone, and nobody else's
        with os.fdopen(handle, "wb") as file:
            file.write(seed)
        try:
            os.link(mine, path)
        except FileExistsError:
            pass  # another process was first: its key is the key
        finally:
            os.unlink(mine)
