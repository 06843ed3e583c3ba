"""Logs of an Aave v3 market as typed values.

Law: a log is recognised by its first topic alone and decoded by slicing the words that matter; what moves neither
health nor liquidations is not decoded. An unknown topic is ``None``. The caller subscribes to the right addresses:
this page trusts the emitter and never checks it.

Token events carry their token, feed and proxy events their emitter; every other event names its subject itself.
"""

from collections.abc import Callable
from typing import Final, cast

from keeper.core import chainlink
from keeper.core.events import Log
from keeper.core.units import Address
from keeper.protocols.aave_v3 import events as e
from keeper.protocols.aave_v3 import topics as t

_address = cast("Callable[[str], Address]", "0x".__add__)  # a call of NewType would cost more than the slice
Decoder = Callable[[Log, tuple[str, ...], str], e.Event | None]


def decode(log: Log) -> e.Event | None:
    """The event a log says, or ``None`` when it says nothing that matters here."""
    topics = log.topics
    decoder = _DECODERS.get(topics[0]) if topics else None
    return decoder(log, topics, log.data) if decoder else None


# --- tokens: the hot path --------------------------------------------------------------------------------------


def _mint(log: Log, topics: tuple[str, ...], data: str) -> e.Mint:
    return e.Mint(
        log.address, _address(topics[2][26:]), int(data[2:66], 16), int(data[66:130], 16), int(data[130:194], 16)
    )


def _burn(log: Log, topics: tuple[str, ...], data: str) -> e.Burn:
    return e.Burn(
        log.address, _address(topics[1][26:]), int(data[2:66], 16), int(data[66:130], 16), int(data[130:194], 16)
    )


def _balance_transfer(log: Log, topics: tuple[str, ...], data: str) -> e.BalanceTransfer:
    return e.BalanceTransfer(
        log.address, _address(topics[1][26:]), _address(topics[2][26:]), int(data[2:66], 16), int(data[66:130], 16)
    )


def _stable_mint(log: Log, topics: tuple[str, ...], data: str) -> e.StableMint:
    return e.StableMint(
        log.address,
        _address(topics[2][26:]),
        int(data[2:66], 16),
        int(data[66:130], 16),
        int(data[130:194], 16),
        int(data[194:258], 16),
    )


def _stable_burn(log: Log, topics: tuple[str, ...], data: str) -> e.StableBurn:
    return e.StableBurn(
        log.address, _address(topics[1][26:]), int(data[2:66], 16), int(data[66:130], 16), int(data[130:194], 16)
    )


# --- pool ------------------------------------------------------------------------------------------------------


def _reserve_data_updated(_: Log, topics: tuple[str, ...], data: str) -> e.ReserveDataUpdated:
    return e.ReserveDataUpdated(
        _address(topics[1][26:]),
        int(data[2:66], 16),
        int(data[130:194], 16),
        int(data[194:258], 16),
        int(data[258:322], 16),
    )


def _collateral_enabled(_: Log, topics: tuple[str, ...], __: str) -> e.CollateralEnabled:
    return e.CollateralEnabled(_address(topics[1][26:]), _address(topics[2][26:]))


def _collateral_disabled(_: Log, topics: tuple[str, ...], __: str) -> e.CollateralDisabled:
    return e.CollateralDisabled(_address(topics[1][26:]), _address(topics[2][26:]))


def _user_emode_set(_: Log, topics: tuple[str, ...], data: str) -> e.UserEModeSet:
    return e.UserEModeSet(_address(topics[1][26:]), int(data, 16))


def _liquidation_call(_: Log, topics: tuple[str, ...], data: str) -> e.LiquidationCall:
    return e.LiquidationCall(
        _address(topics[1][26:]),
        _address(topics[2][26:]),
        _address(topics[3][26:]),
        int(data[2:66], 16),
        int(data[66:130], 16),
        _address(data[154:194]),
        data[257] == "1",
    )


def _deficit_created(_: Log, topics: tuple[str, ...], data: str) -> e.DeficitCreated:
    return e.DeficitCreated(_address(topics[1][26:]), _address(topics[2][26:]), int(data, 16))


def _deficit_covered(_: Log, topics: tuple[str, ...], data: str) -> e.DeficitCovered:
    return e.DeficitCovered(_address(topics[1][26:]), int(data[66:130], 16))


# --- configurator ----------------------------------------------------------------------------------------------


def _reserve_initialized(_: Log, topics: tuple[str, ...], data: str) -> e.ReserveInitialized:
    return e.ReserveInitialized(
        _address(topics[1][26:]), _address(topics[2][26:]), _address(data[26:66]), _address(data[90:130])
    )


def _reserve_dropped(_: Log, topics: tuple[str, ...], __: str) -> e.ReserveDropped:
    return e.ReserveDropped(_address(topics[1][26:]))


def _collateral_configuration(_: Log, topics: tuple[str, ...], data: str) -> e.CollateralConfigurationChanged:
    return e.CollateralConfigurationChanged(_address(topics[1][26:]), int(data[66:130], 16), int(data[130:194], 16))


def _emode_category_added(_: Log, topics: tuple[str, ...], data: str) -> e.EModeCategoryAdded:
    return e.EModeCategoryAdded(
        int(topics[1], 16),
        int(data[66:130], 16),
        int(data[130:194], 16),
        _address(data[218:258]),
    )


def _emode_asset_category(_: Log, topics: tuple[str, ...], data: str) -> e.EModeAssetCategoryChanged:
    return e.EModeAssetCategoryChanged(_address(topics[1][26:]), int(data[66:130], 16))


def _emode_collateral(_: Log, topics: tuple[str, ...], data: str) -> e.AssetCollateralInEModeChanged:
    return e.AssetCollateralInEModeChanged(_address(topics[1][26:]), int(data[2:66], 16), data[129] == "1")


def _active(_: Log, topics: tuple[str, ...], data: str) -> e.ReserveActive:
    return e.ReserveActive(_address(topics[1][26:]), data[65] == "1")


def _frozen(_: Log, topics: tuple[str, ...], data: str) -> e.ReserveFrozen:
    return e.ReserveFrozen(_address(topics[1][26:]), data[65] == "1")


def _paused(_: Log, topics: tuple[str, ...], data: str) -> e.ReservePaused:
    return e.ReservePaused(_address(topics[1][26:]), data[65] == "1")


def _flash_loaning(_: Log, topics: tuple[str, ...], data: str) -> e.ReserveFlashLoaning:
    return e.ReserveFlashLoaning(_address(topics[1][26:]), data[65] == "1")


def _grace_changed(_: Log, topics: tuple[str, ...], data: str) -> e.LiquidationGracePeriodChanged:
    return e.LiquidationGracePeriodChanged(_address(topics[1][26:]), int(data, 16))


def _grace_disabled(_: Log, topics: tuple[str, ...], __: str) -> e.LiquidationGracePeriodChanged:
    return e.LiquidationGracePeriodChanged(_address(topics[1][26:]), 0)


def _protocol_fee(_: Log, topics: tuple[str, ...], data: str) -> e.LiquidationProtocolFeeChanged:
    return e.LiquidationProtocolFeeChanged(_address(topics[1][26:]), int(data[66:130], 16))


def _flash_premium(_: Log, __: tuple[str, ...], data: str) -> e.FlashloanPremiumTotalUpdated:
    return e.FlashloanPremiumTotalUpdated(int(data[66:130], 16))


def _token_upgraded(kind: e.TokenKind) -> Decoder:
    def decoder(_: Log, topics: tuple[str, ...], __: str) -> e.TokenUpgraded:
        return e.TokenUpgraded(kind, _address(topics[1][26:]), _address(topics[2][26:]), _address(topics[3][26:]))

    return decoder


# --- addresses provider, proxies, oracle, feeds ----------------------------------------------------------------


def _part_upgraded(part: str) -> Decoder:
    def decoder(_: Log, topics: tuple[str, ...], __: str) -> e.PartUpgraded:
        return e.PartUpgraded(part, _address(topics[2][26:]))

    return decoder


def _part_replaced(part: str) -> Decoder:
    def decoder(_: Log, topics: tuple[str, ...], __: str) -> e.PartReplaced:
        return e.PartReplaced(part, _address(topics[2][26:]))

    return decoder


def _address_set(_: Log, topics: tuple[str, ...], __: str) -> e.PartReplaced:
    return e.PartReplaced(_part(topics[1]), _address(topics[3][26:]))


def _proxy_created(_: Log, topics: tuple[str, ...], __: str) -> e.PartCreated:
    return e.PartCreated(_part(topics[1]), _address(topics[2][26:]), _address(topics[3][26:]))


def _part(identifier: str) -> str:
    return bytes.fromhex(identifier[2:]).rstrip(b"\0").decode("ascii", "replace")


def _upgraded(log: Log, topics: tuple[str, ...], __: str) -> e.Upgraded:
    return e.Upgraded(log.address, _address(topics[1][26:]))


def _asset_source(_: Log, topics: tuple[str, ...], __: str) -> e.AssetSourceUpdated:
    return e.AssetSourceUpdated(_address(topics[1][26:]), _address(topics[2][26:]))


def _fallback_oracle(_: Log, topics: tuple[str, ...], __: str) -> e.FallbackOracleUpdated:
    return e.FallbackOracleUpdated(_address(topics[1][26:]))


def _answered(log: Log, _: tuple[str, ...], __: str) -> e.FeedAnswered | None:
    found = chainlink.answered(log)
    return e.FeedAnswered(log.address, *found) if found else None


def _feed_touched(log: Log, _: tuple[str, ...], __: str) -> e.FeedTouched:
    return e.FeedTouched(log.address)


def _aggregator_confirmed(log: Log, topics: tuple[str, ...], __: str) -> e.AggregatorConfirmed:
    return e.AggregatorConfirmed(log.address, _address(topics[2][26:]))


_DECODERS: Final[dict[str, Decoder]] = {
    t.MINT: _mint,
    t.BURN: _burn,
    t.BALANCE_TRANSFER: _balance_transfer,
    t.STABLE_MINT: _stable_mint,
    t.STABLE_BURN: _stable_burn,
    t.RESERVE_DATA_UPDATED: _reserve_data_updated,
    t.RESERVE_USED_AS_COLLATERAL_ENABLED: _collateral_enabled,
    t.RESERVE_USED_AS_COLLATERAL_DISABLED: _collateral_disabled,
    t.USER_EMODE_SET: _user_emode_set,
    t.LIQUIDATION_CALL: _liquidation_call,
    t.DEFICIT_CREATED: _deficit_created,
    t.DEFICIT_COVERED: _deficit_covered,
    t.RESERVE_INITIALIZED: _reserve_initialized,
    t.RESERVE_DROPPED: _reserve_dropped,
    t.COLLATERAL_CONFIGURATION_CHANGED: _collateral_configuration,
    t.EMODE_CATEGORY_ADDED: _emode_category_added,
    t.EMODE_ASSET_CATEGORY_CHANGED: _emode_asset_category,
    t.ASSET_COLLATERAL_IN_EMODE_CHANGED: _emode_collateral,
    t.RESERVE_ACTIVE: _active,
    t.RESERVE_FROZEN: _frozen,
    t.RESERVE_PAUSED: _paused,
    t.RESERVE_FLASH_LOANING: _flash_loaning,
    t.LIQUIDATION_GRACE_PERIOD_CHANGED: _grace_changed,
    t.LIQUIDATION_GRACE_PERIOD_DISABLED: _grace_disabled,
    t.LIQUIDATION_PROTOCOL_FEE_CHANGED: _protocol_fee,
    t.FLASHLOAN_PREMIUM_TOTAL_UPDATED: _flash_premium,
    t.ATOKEN_UPGRADED: _token_upgraded(e.TokenKind.COLLATERAL),
    t.VARIABLE_DEBT_TOKEN_UPGRADED: _token_upgraded(e.TokenKind.DEBT),
    t.STABLE_DEBT_TOKEN_UPGRADED: _token_upgraded(e.TokenKind.STABLE),
    t.POOL_UPDATED: _part_upgraded(e.POOL),
    t.POOL_CONFIGURATOR_UPDATED: _part_upgraded(e.POOL_CONFIGURATOR),
    t.PRICE_ORACLE_UPDATED: _part_replaced(e.PRICE_ORACLE),
    t.PRICE_ORACLE_SENTINEL_UPDATED: _part_replaced(e.PRICE_ORACLE_SENTINEL),
    t.ADDRESS_SET: _address_set,
    t.PROXY_CREATED: _proxy_created,
    t.ADDRESS_SET_AS_PROXY: _proxy_created,
    t.UPGRADED: _upgraded,
    t.ASSET_SOURCE_UPDATED: _asset_source,
    t.FALLBACK_ORACLE_UPDATED: _fallback_oracle,
    chainlink.ANSWER_UPDATED: _answered,
    chainlink.NEW_TRANSMISSION_OCR1: _answered,
    chainlink.NEW_TRANSMISSION_OCR2: _answered,
    chainlink.SECONDARY_ROUND_ID_UPDATED: _feed_touched,
    chainlink.PRIMARY_FEED_UNLOCKED: _feed_touched,
    chainlink.CUTOFF_TIME_SET: _feed_touched,
    t.AGGREGATOR_CONFIRMED: _aggregator_confirmed,
}
