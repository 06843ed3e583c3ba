# pragma version 0.4.3
"""
@title An oracle for a Morpho Blue market, of feeds and vaults: a fixture
@notice Law: the maths and the getters of Morpho's MorphoChainlinkOracleV2, written anew for local chains, because that
    contract is in no package that can be pinned. The one difference is the middle of the last product, which here must
    fit into 256 bits.
"""

interface Vault:
    def convertToAssets(shares: uint256) -> uint256: view

interface Feed:
    def latestRoundData() -> (uint80, int256, uint256, uint256, uint80): view
    def decimals() -> uint8: view

BASE_VAULT: public(immutable(address))
BASE_VAULT_CONVERSION_SAMPLE: public(immutable(uint256))
BASE_FEED_1: public(immutable(address))
BASE_FEED_2: public(immutable(address))
QUOTE_VAULT: public(immutable(address))
QUOTE_VAULT_CONVERSION_SAMPLE: public(immutable(uint256))
QUOTE_FEED_1: public(immutable(address))
QUOTE_FEED_2: public(immutable(address))
SCALE_FACTOR: public(immutable(uint256))


@deploy
def __init__(
    base_vault: address,
    base_sample: uint256,
    base_feed_1: address,
    base_feed_2: address,
    base_decimals: uint256,
    quote_vault: address,
    quote_sample: uint256,
    quote_feed_1: address,
    quote_feed_2: address,
    quote_decimals: uint256,
):
    BASE_VAULT = base_vault
    BASE_VAULT_CONVERSION_SAMPLE = base_sample
    BASE_FEED_1 = base_feed_1
    BASE_FEED_2 = base_feed_2
    QUOTE_VAULT = quote_vault
    QUOTE_VAULT_CONVERSION_SAMPLE = quote_sample
    QUOTE_FEED_1 = quote_feed_1
    QUOTE_FEED_2 = quote_feed_2
    above: uint256 = 36 + quote_decimals + self._decimals(quote_feed_1) + self._decimals(quote_feed_2)
    below: uint256 = base_decimals + self._decimals(base_feed_1) + self._decimals(base_feed_2)
    SCALE_FACTOR = 10 ** (above - below) * quote_sample // base_sample


@external
@view
def price() -> uint256:
    base: uint256 = self._worth(BASE_VAULT, BASE_VAULT_CONVERSION_SAMPLE) * self._answer(BASE_FEED_1)
    quote: uint256 = self._worth(QUOTE_VAULT, QUOTE_VAULT_CONVERSION_SAMPLE) * self._answer(QUOTE_FEED_1)
    return SCALE_FACTOR * (base * self._answer(BASE_FEED_2)) // (quote * self._answer(QUOTE_FEED_2))


@internal
@view
def _worth(vault: address, shares: uint256) -> uint256:
    if vault == empty(address):
        return 1
    return staticcall Vault(vault).convertToAssets(shares)


@internal
@view
def _answer(feed: address) -> uint256:
    if feed == empty(address):
        return 1
    answer: int256 = (staticcall Feed(feed).latestRoundData())[1]
    assert answer >= 0, "negative answer"
    return convert(answer, uint256)


@internal
@view
def _decimals(feed: address) -> uint256:
    if feed == empty(address):
        return 0
    return convert(staticcall Feed(feed).decimals(), uint256)
