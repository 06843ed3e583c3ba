"""Which release a contract is, read from its own code.

Law: ``POOL_REVISION`` is what a contract calls itself and is not asked. The code must show exactly the marks of one
release, no more and no fewer; otherwise the answer is ``None`` (unknown) and the caller quarantines. A mark is a
four-byte selector: a function of the contract, or one that it calls in another. All codes are implementations, never
proxies.

Pool. Marks were read from compiled releases 3.0.2, 3.1.0, 3.2.0, 3.2.1, 3.3.0, 3.4.0, 3.5.0, 3.6.0 and 3.7:

| mark                                       | 3.0 | 3.1 | 3.2 | 3.3 | 3.4 | 3.5 | 3.6 | 3.7 |
|--------------------------------------------|-----|-----|-----|-----|-----|-----|-----|-----|
| swapBorrowRateMode(address,uint256)        |  x  |  x  |     |     |     |     |     |     |
| getLiquidationGracePeriod(address)         |     |  x  |  x  |  x  |  x  |  x  |  x  |  x  |
| getEModeCategoryCollateralBitmap(uint8)    |     |     |  x  |  x  |  x  |  x  |  x  |  x  |
| getReserveDeficit(address)                 |     |     |     |  x  |  x  |  x  |  x  |  x  |
| mintUnbacked(address,uint256,...)          |  x  |  x  |  x  |  x  |     |     |     |     |
| approvePositionManager(address,bool)       |     |     |     |     |  x  |  x  |  x  |  x  |
| BorrowLogic.executeRepay without e-modes   |  x  |  x  |  x  |  x  |  x  |     |     |     |
| BorrowLogic.executeRepay with e-modes      |     |     |     |     |     |  x  |  x  |  x  |
| getEModeCategoryLtvzeroBitmap(uint8)       |     |     |     |     |     |     |  x  |  x  |
| dropReserve(address)                       |  x  |  x  |  x  |  x  |  x  |  x  |  x  |     |
| getIsEModeCategoryIsolated(uint8)          |     |     |     |     |     |     |     |  x  |

Between 3.4 and 3.5 only roundings changed, but repaying began to check health, so that the library call that the pool
makes took one more argument. 3.0.0 to 3.0.2 are one pool code; the difference is in a library, see below.

Liquidation library, to be sure that what the pool delegates to is of the same release (3.0.0, whose seizure ignores
e-mode prices, differs from 3.0.2 only here):

| mark                                       | 3.0.0 | 3.0.2 | 3.1 | 3.2 | 3.3 | 3.4 | 3.5 | 3.6 | 3.7 |
|--------------------------------------------|-------|-------|-----|-----|-----|-----|-----|-----|-----|
| handleRepayment(address,uint256)           |   x   |       |     |     |     |     |     |     |     |
| handleRepayment(address,address,uint256)   |       |   x   |  x  |  x  |  x  |     |     |     |     |
| stable burn(address,uint256)               |   x   |   x   |  x  |     |     |     |     |     |     |
| MIN_LEFTOVER_BASE()                        |       |       |     |     |  x  |  x  |  x  |  x  |  x  |
| transferOnLiquidation of 3 arguments       |   x   |   x   |  x  |  x  |  x  |     |     |     |     |
| transferOnLiquidation of 4 arguments       |       |       |     |     |     |  x  |     |     |     |
| transferOnLiquidation of 5 arguments       |       |       |     |     |     |     |  x  |  x  |  x  |
| isLiquidationAllowed()                     |   x   |   x   |  x  |  x  |  x  |  x  |  x  |  x  |     |

Tokens: burning an aToken took (from, receiver, amount, index) up to 3.4 and one argument more since; minting a debt
token likewise. The first aTokens, which emit unscaled transfers, are those with handleRepayment(address,uint256). A
debt token with a discount on its interest (the first GHO) is nobody's profile, and neither is a stable debt token.
"""

from collections.abc import Iterable
from typing import Final

from keeper.core.units import Address
from keeper.protocols.aave_v3 import tokens, topics

# The first four bytes of the keccak-256 of each signature; ``tests/unit/test_aave_probe.py`` recomputes every one.
SELECTORS: Final = {
    "swapBorrowRateMode(address,uint256)": 0x94BA89A2,
    "getLiquidationGracePeriod(address)": 0x5C9A8B18,
    "getEModeCategoryCollateralBitmap(uint8)": 0xB0771DBA,
    "getReserveDeficit(address)": 0xC952485D,
    "mintUnbacked(address,uint256,address,uint16)": 0x69A933A5,
    "approvePositionManager(address,bool)": 0xB8CAA7C5,
    "executeRepay(mapping(address => DataTypes.ReserveData) storage,mapping(uint256 => address) storage,"
    "DataTypes.UserConfigurationMap storage,DataTypes.ExecuteRepayParams)": 0x40E95DE6,
    "executeRepay(mapping(address => DataTypes.ReserveData) storage,mapping(uint256 => address) storage,"
    "mapping(uint8 => DataTypes.EModeCategory) storage,"
    "DataTypes.UserConfigurationMap storage,DataTypes.ExecuteRepayParams)": 0x38CA4D8A,
    "getEModeCategoryLtvzeroBitmap(uint8)": 0xFD89DEE5,
    "dropReserve(address)": 0x63C9B860,
    "getIsEModeCategoryIsolated(uint8)": 0x05F68ACB,
    "handleRepayment(address,uint256)": 0x88DD91A1,
    "handleRepayment(address,address,uint256)": 0x6FD97676,
    "burn(address,uint256)": 0x9DC29FAC,
    "MIN_LEFTOVER_BASE()": 0x1A00FD00,
    "transferOnLiquidation(address,address,uint256)": 0xF866C319,
    "transferOnLiquidation(address,address,uint256,uint256)": 0xC4606A88,
    "transferOnLiquidation(address,address,uint256,uint256,uint256)": 0x353B7B9A,
    "isLiquidationAllowed()": 0x7A5D20EA,
    "burn(address,address,uint256,uint256)": 0xD7020D0A,
    "burn(address,address,uint256,uint256,uint256)": 0xB18D6AFD,
    "mint(address,address,uint256,uint256)": 0xB3F1C93D,
    "mint(address,address,uint256,uint256,uint256)": 0x9CEEACA7,
    "burn(address,uint256,uint256)": 0xF5298ACA,
    "getBalanceFromInterest(address)": 0x7CCF1A15,
}
(
    _SWAP_RATE, _GRACE, _BITMAP, _DEFICIT, _UNBACKED, _MANAGER, _REPAY, _REPAY_EMODE, _LTVZERO, _DROP, _ISOLATED,
    _HANDLE_2, _HANDLE_3, _STABLE_BURN, _LEFTOVER, _SEIZE_3, _SEIZE_4, _SEIZE_5, _SENTINEL,
    _A_BURN_4, _A_BURN_5, _MINT_4, _MINT_5, _V_BURN, _DISCOUNT,
) = SELECTORS.values()  # fmt: skip

_POOLS: Final = {
    "3.0.2": {_SWAP_RATE, _UNBACKED, _REPAY, _DROP},
    "3.1": {_SWAP_RATE, _GRACE, _UNBACKED, _REPAY, _DROP},
    "3.2": {_GRACE, _BITMAP, _UNBACKED, _REPAY, _DROP},
    "3.3": {_GRACE, _BITMAP, _DEFICIT, _UNBACKED, _REPAY, _DROP},
    "3.4": {_GRACE, _BITMAP, _DEFICIT, _MANAGER, _REPAY, _DROP},
    "3.5": {_GRACE, _BITMAP, _DEFICIT, _MANAGER, _REPAY_EMODE, _DROP},
    "3.6": {_GRACE, _BITMAP, _DEFICIT, _MANAGER, _REPAY_EMODE, _LTVZERO, _DROP},
    "3.7": {_GRACE, _BITMAP, _DEFICIT, _MANAGER, _REPAY_EMODE, _LTVZERO, _ISOLATED},
}
_POOL_MARKS: Final = frozenset[int]().union(*_POOLS.values())

_LIBRARIES: Final = {
    "3.0.2": {_HANDLE_3, _STABLE_BURN, _SEIZE_3, _SENTINEL},
    "3.1": {_HANDLE_3, _STABLE_BURN, _SEIZE_3, _SENTINEL},
    "3.2": {_HANDLE_3, _SEIZE_3, _SENTINEL},
    "3.3": {_HANDLE_3, _LEFTOVER, _SEIZE_3, _SENTINEL},
    "3.4": {_LEFTOVER, _SEIZE_4, _SENTINEL},
    "3.5": {_LEFTOVER, _SEIZE_5, _SENTINEL},
    "3.6": {_LEFTOVER, _SEIZE_5, _SENTINEL},
    "3.7": {_LEFTOVER, _SEIZE_5},
}
_LIBRARY_MARKS: Final = frozenset[int]().union(*_LIBRARIES.values()) | {_HANDLE_2}
_SEIZES: Final = {_SEIZE_3, _SEIZE_4, _SEIZE_5}  # only the liquidation library calls these

_TOKENS: Final = (
    ({_HANDLE_2, _MINT_4, _A_BURN_4, _SEIZE_3}, tokens.COLLATERAL_3_0_0),
    ({_HANDLE_3, _MINT_4, _A_BURN_4, _SEIZE_3}, tokens.COLLATERAL_3_0_2),
    ({_MINT_4, _A_BURN_4, _SEIZE_4}, tokens.COLLATERAL_3_0_2),
    ({_MINT_4, _A_BURN_5, _SEIZE_5}, tokens.COLLATERAL_3_5),
    ({_MINT_4, _V_BURN}, tokens.DEBT_3_0_2),
    ({_MINT_5, _V_BURN}, tokens.DEBT_3_5),
)
_TOKEN_MARKS: Final = frozenset[int]().union(*(marks for marks, _ in _TOKENS)) | {_DISCOUNT}

# First topics of the logs that bring new code into a market.
STRUCTURAL: Final = frozenset(
    {
        topics.RESERVE_INITIALIZED,
        topics.ATOKEN_UPGRADED,
        topics.VARIABLE_DEBT_TOKEN_UPGRADED,
        topics.STABLE_DEBT_TOKEN_UPGRADED,
        topics.POOL_UPDATED,
        topics.POOL_CONFIGURATOR_UPDATED,
        topics.PROXY_CREATED,
        topics.ADDRESS_SET_AS_PROXY,
        topics.UPGRADED,
    }
)

_PUSH1: Final = 0x60
_PUSH20: Final = 0x73
_PUSH32: Final = 0x7F
_SHL: Final = 0x1B
_WORD: Final = 2**256
_SELECTOR: Final = 2**32


def version_of(code: str, libraries: Iterable[str] = ()) -> str | None:
    """What an implementation is: a key of ``PROFILES`` or of ``TOKEN_PROFILES``, or ``None`` when it is neither.

    ``libraries`` are the codes behind a pool's ``library_addresses``: when given, the liquidation library must be among
    them and be of the pool's release. Without them, "3.0.2" means any 3.0.
    """
    found = selectors(code)
    pool = next((version for version, marks in _POOLS.items() if marks == found & _POOL_MARKS), None)
    token = next((profile.name for marks, profile in _TOKENS if marks == found & _TOKEN_MARKS), None)
    if pool is None or token is not None:
        return token if pool is None else None
    codes = tuple(libraries)
    return pool if not codes or _of_release(pool, codes) else None


def _of_release(version: str, codes: Iterable[str]) -> bool:
    """Whether the one liquidation library among some codes is of a release."""
    seizing = [marks for code in codes if (marks := selectors(code) & _LIBRARY_MARKS) & _SEIZES]
    return seizing == [_LIBRARIES[version]]


def library_addresses(pool: str) -> tuple[Address, ...]:
    """The addresses that are part of a pool implementation's code: its linked libraries."""
    seen = (f"0x{value:040x}" for size, value, _ in _pushes(pool) if size == _PUSH20 and value + 1 != 1 << 160)
    return tuple(Address(address) for address in dict.fromkeys(seen))


def selectors(code: str) -> set[int]:
    """Everything in a runtime code that can be a selector: a 4-byte push, or a push shifted to the top of a word."""
    found: set[int] = set()
    for _, value, shift in _pushes(code):
        if value < _SELECTOR:
            found.add(value)
        top, rest = divmod((value << shift) % _WORD, 1 << 224)
        if not rest:
            found.add(top)
    return found


def _pushes(code: str) -> Iterable[tuple[int, int, int]]:
    """Each push of a constant: its opcode, its value, and the shift that is applied to it at once (0: none)."""
    raw = bytes.fromhex(code.removeprefix("0x"))
    at, end = 0, len(raw)
    while at < end:
        opcode = raw[at]
        at += 1
        if _PUSH1 <= opcode <= _PUSH32:
            size = opcode - _PUSH1 + 1
            value = int.from_bytes(raw[at : at + size], "big")
            at += size
            shifted = raw[at : at + 3]
            shift = shifted[1] if len(shifted) == 3 and shifted[0] == _PUSH1 and shifted[2] == _SHL else 0  # noqa: PLR2004
            yield opcode, value, shift
