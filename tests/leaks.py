"""Secrets in what a test has logged: in its own output, and in the logs of processes that it started.

Law: every test is looked at but those marked ``spills``, which hand secrets out to see them masked. Keys are those that
tests sign with, known to everyone; a raw transaction and a credential in an address are known by their form.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from eth_utils.crypto import keccak

from keeper.demo.run import KEYS

_SIGNERS: Final = 64
KEYS_OF_TESTS: Final = frozenset(
    {
        *KEYS,
        *(keccak(text=f"keeper test signer {i}").hex() for i in range(_SIGNERS)),
        keccak(text="keeper test identity").hex(),
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",  # anvil's first account
    }
)
_FORMS: Final = re.compile(
    "|".join(
        (
            *sorted(KEYS_OF_TESTS),
            r"(?:0x)?02f8[0-9a-f]{200,}",  # a signed transaction of type 2
            r"https?://[^/\s\"'*]+:[^/\s\"'*]+@",  # a name and a password
            r"[?&](?:api-?key|token|auth)=[^*&\s\"']{8,}",
        )
    ),
    re.IGNORECASE,
)
_LOGS: Final = ("*.log", "*.jsonl", "*.err")


def leaks(text: str) -> Iterator[str]:
    """What should not be there, shortened so that it is not spread further."""
    for match in _FORMS.finditer(text):
        at = text.rfind("\n", 0, match.start()) + 1
        yield f"{match[0][:12]}… in: {text[at : match.start()][-120:]}"


def leaks_below(folder: Path) -> Iterator[str]:
    """The same of all logs in a folder."""
    for pattern in _LOGS:
        for file in folder.rglob(pattern):
            yield from (f"{file.name}: {leak}" for leak in leaks(file.read_text(encoding="utf-8", errors="replace")))


def leaks_of(sections: Iterable[tuple[str, str]], folder: object) -> list[str]:
    """Everything that a test let out."""
    found = [f"{name}: {leak}" for name, text in sections for leak in leaks(text)]
    return [*found, *leaks_below(folder)] if isinstance(folder, Path) and folder.is_dir() else found
