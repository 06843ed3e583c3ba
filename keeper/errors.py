"""Everything that can be broken, on one page.

Law: an error means that the world is broken, never that the answer is no: refusals are values (``core.refusals.Skip``).
A foreign exception is mapped once, where it enters, and never leaks further:

| raised by                 | on                                                       | as                     |
|---------------------------|----------------------------------------------------------|------------------------|
| ``settings``              | a missing, unknown or malformed key; a secret in TOML    | ``ConfigError``        |
| ``chain``                 | timeouts, HTTP failures, JSON-RPC error objects          | ``RpcError`` and below |
| ``chain``                 | every endpoint set aside                                 | ``EndpointsUnavailable`` |
| ``chain``, ``indexer``    | a chain id or a genesis that is not the configured one   | ``WrongChain``         |
| ``protocols``, ``venues`` | bytes that do not have the promised shape                | ``DecodeError``        |
| ``store``                 | a state file that is damaged or from another world       | ``StateCorrupt``       |
| ``store``                 | a state file that cannot be written now: a full disk     | ``StateUnwritable``    |
| ``executor``              | a simulation that could not be run (not: that reverted)  | ``SimulationError``    |
| ``executor``              | a key that cannot be read or does not sign               | ``SignerError``        |
| ``ops``                   | a task of the daemon that failed for good                | ``TaskFailed``         |
| ``devnet``                | anvil, npm or a package that is missing or different     | ``DevnetError``        |

``cli.main`` is the only catcher of ``KeeperError``: one line on stderr, and ``exit_code`` as the answer.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, a contract with scripts."""

    DONE = 0
    NO = 1  # the answer is no: a drift, a revert, a demo that did not go right
    USAGE = 2  # bad configuration or usage
    WRONG_CHAIN = 3
    STATE_CORRUPT = 4
    UNAVAILABLE = 5  # no endpoint answers


class KeeperError(Exception):
    """Root of the tree: whatever keeper itself raises."""

    exit_code: Exit = Exit.NO


class ConfigError(KeeperError):
    """The configuration cannot be used. Carries all problems at once, one line each."""

    exit_code = Exit.USAGE

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class WrongChain(KeeperError):
    """The endpoint or the state file belongs to another chain."""

    exit_code = Exit.WRONG_CHAIN


class StateCorrupt(KeeperError):
    """The state file cannot be trusted."""

    exit_code = Exit.STATE_CORRUPT


class StateUnwritable(KeeperError):
    """The state file cannot be written now. What is in it stays whole, and a later try may succeed."""

    exit_code = Exit.STATE_CORRUPT


class EndpointsUnavailable(KeeperError):
    """No configured endpoint can be used."""

    exit_code = Exit.UNAVAILABLE


class RpcError(KeeperError):
    """One call to one endpoint failed.

    ``transient``: the same call may succeed a moment later or elsewhere (timeout, 429, 5xx, truncated answer).
    Permanent: the node understood and refused (a JSON-RPC error object with ``code``); repeating cannot help.
    """

    exit_code = Exit.UNAVAILABLE

    def __init__(self, message: str, *, code: int | None = None, transient: bool = False, data: str = "0x") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.transient = transient
        self.data = data  # revert data, when the node gave any


class Reverted(RpcError):
    """The call ran and the EVM undid it. True at that block wherever it is asked: never retried."""


class BlockUnknown(RpcError):
    """The endpoint does not have that block (yet, or any more), or not its state."""


class RpcTimeout(RpcError):
    """No answer within the deadline. A write that timed out may have been accepted."""


class TooMuch(RpcError):
    """The question is too large for this endpoint: ask for less. ``blocks`` is a width it named as acceptable."""

    def __init__(self, message: str, *, code: int | None = None, blocks: int | None = None, cap: bool = False) -> None:
        super().__init__(message, code=code)
        self.blocks = blocks
        self.cap = cap  # a wider range is refused whatever it holds; else this one held too many logs


class DecodeError(KeeperError):
    """Bytes that are not what their source promised."""


class SimulationError(KeeperError):
    """A simulation could not be carried out. A simulated revert is a result, not this."""


class SignerError(KeeperError):
    """The key is missing, unreadable, or signs for another address."""

    exit_code = Exit.USAGE


class TaskFailed(KeeperError):
    """A task of the daemon failed more often than its budget allows, or in a way that no restart cures."""

    def __init__(self, task: str, restarts: int, error: BaseException | None) -> None:
        what = f"{type(error).__name__}: {error}" if error else "it ended by itself"
        super().__init__(f"task {task} failed after {restarts} restarts: {what}")
        self.task = task
        if isinstance(error, KeeperError):
            self.exit_code = error.exit_code


class DevnetError(KeeperError):
    """The local world cannot be brought up."""
