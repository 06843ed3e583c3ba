"""Where keys come from: text that the environment held, an encrypted keystore, a file of their own.

Law: a file with a secret that others may touch is refused. A key is masked in all logs before it is used, and no error
quotes what it was given.
"""

import json
import stat
from pathlib import Path
from typing import Final

from coincurve import PrivateKey
from eth_account import Account

from keeper.errors import SignerError
from keeper.redact import hide

KEY_SIZE: Final = 32


def secret_key(text: str) -> bytes:
    """A private key as people write it, with or without 0x."""
    digits = text.strip().removeprefix("0x")
    try:
        secret = bytes.fromhex(digits)
        PrivateKey(secret)
    except ValueError:
        secret = b""
    if len(secret) != KEY_SIZE:
        raise SignerError("not a private key: 32 bytes in hex are wanted") from None
    hide(digits)
    return secret


def secret_keys(text: str) -> tuple[bytes, ...]:
    """One key or several, apart by commas or white space: a pool of accounts liquidates in parallel."""
    return tuple(map(secret_key, text.replace(",", " ").split()))


def key_file(path: Path) -> bytes:
    """The key in a file of its own, which nobody else may read."""
    if problem := exposed(path):
        raise SignerError(problem)
    try:
        return secret_key(path.read_text())
    except (OSError, UnicodeDecodeError):
        raise SignerError(f"{path}: cannot be read") from None


def keystore_key(keystore: Path, password_file: Path) -> bytes:
    """The key in an encrypted keystore. Slow on purpose (scrypt): once, at the start."""
    problems = [problem for path in (keystore, password_file) if (problem := exposed(path))]
    if problems:
        raise SignerError("; ".join(problems))
    try:
        password = password_file.read_text().rstrip("\r\n")
        secret = bytes(Account.decrypt(json.loads(keystore.read_text()), password))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:  # a wrong password is a ValueError
        raise SignerError(f"{keystore}: cannot be decrypted ({type(error).__name__})") from None
    hide(secret.hex())
    return secret


def exposed(path: Path) -> str | None:
    """Why a secret file is not safe where it is, or None."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not stat.S_ISREG(mode):
        return f"{path}: not a file"
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"{path}: others may read it (mode {stat.S_IMODE(mode):o}); chmod 600"
    return None
