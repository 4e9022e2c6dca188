"""What a charge is paid with, at rest: encrypted when keys are given."""

import warnings
from collections.abc import Sequence
from typing import Any

import msgspec

from payme.charges.core import Means
from payme.errors import ConfigurationError
from payme.protocol import jsonrpc
from payme.protocol.inputs import Payer
from payme.redact import TOKEN, Secret


class Vault:
    """Encrypts and decrypts what charges are paid with.

    Args:
        keys: Fernet keys, 32 bytes in URL-safe Base64, as `cryptography.fernet.Fernet.generate_key`
            makes them. The first one encrypts, all of them decrypt: to change keys, put the new one
            first and call `rotate` of the ledger. Without keys tokens are stored as they are.

    Raises:
        ConfigurationError: One of them is no Fernet key, or `cryptography` is not installed.
    """

    def __init__(self, keys: Sequence[str | bytes] = ()) -> None:
        self._fernet = _fernet(keys) if keys else None
        if self._fernet is None:
            warnings.warn(
                "card tokens are stored unencrypted: give the ledger keys=[...] "
                "(cryptography.fernet.Fernet.generate_key() makes one)",
                stacklevel=3,
            )

    def __repr__(self) -> str:
        return f"Vault({'encrypted' if self._fernet else 'plain'})"

    def seal(self, means: Means) -> bytes:
        """Make what is stored."""
        plain = Sealed(_ENCODER.encode(means._asdict()))
        return plain if self._fernet is None else Sealed(self._fernet.encrypt(plain))

    def open(self, stored: bytes) -> Means:
        """Read what is stored.

        Raises:
            ConfigurationError: No key opens it.
        """
        opening = _Opening(stored)
        found = _DECODER.decode(opening.opened(self._fernet))
        return Means(Secret(found.token, TOKEN), found.payer, found.card)


class _Stored(msgspec.Struct):
    token: str
    payer: Payer | None = None
    card: str | None = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def __repr__(self) -> str:
        return "_Stored()"


class Sealed(bytes):
    """What is stored; without keys it is readable, and an error of the database shows its row."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Sealed()"


class _Opening:
    """Bytes that no frame shows."""

    __slots__ = ("_stored",)

    def __init__(self, stored: bytes) -> None:
        self._stored = stored

    def opened(self, fernet: Any) -> bytes:
        if self._stored.startswith(b"{"):
            return self._stored
        if fernet is None:
            raise ConfigurationError("keys: the tokens in this ledger are encrypted; give its keys")
        from cryptography.fernet import InvalidToken

        try:
            plain: bytes = fernet.decrypt(self._stored)
        except InvalidToken:
            raise ConfigurationError("keys: none of them opens the tokens in this ledger") from None
        return plain


_ENCODER = msgspec.json.Encoder(enc_hook=jsonrpc.opened)
_DECODER = msgspec.json.Decoder(_Stored)


def _fernet(keys: Sequence[str | bytes]) -> Any:
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise ConfigurationError(
            "keys: encrypting tokens needs cryptography: pip install 'payme-uz[charges]'"
        ) from None
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except (ValueError, TypeError):
        raise ConfigurationError(
            "keys: expected Fernet keys, 32 bytes in URL-safe Base64"
        ) from None
