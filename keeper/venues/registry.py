"""Which venue a configured kind is. A new venue is one folder and one line here."""

from collections.abc import Callable, Mapping
from typing import Final

from keeper.core.units import Address
from keeper.core.venues import Venue
from keeper.venues.uniswap_v2.venue import UniswapV2
from keeper.venues.uniswap_v3.venue import UniswapV3

VENUES: Final[Mapping[str, Callable[[Address], Venue]]] = {
    "uniswap_v2": UniswapV2,
    "uniswap_v3": UniswapV3,
}
