"""Tokens that do what tokens should not, listed or traded like any other.

Law: the token is ordinary until its contract is told otherwise (``set_fee``, ``set_blocked``, ``set_answers_false``,
``set_hook``); the silent one is as silent as USDT from the start.
"""

from pathlib import Path
from typing import Final

from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.governance import Governance
from keeper.devnet.layout import ADMIN, Token, TokenSpec
from keeper.devnet.vyper import vyper_artifact

_CONTRACTS: Final = Path(__file__).parent / "contracts"


class Hostile(Governance):
    """Deploys them, each with a feed; ``add_reserve`` lists one, ``open_v3_pool`` makes it tradable."""

    def add_hostile_token(self, spec: TokenSpec) -> Contract:
        """Can take fees, block accounts, answer false and call back."""
        return self._add(spec, "hostile_token.vy")

    def add_silent_token(self, spec: TokenSpec) -> Contract:
        """Returns nothing and insists on allowances being reset."""
        return self._add(spec, "silent_token.vy")

    def _add(self, spec: TokenSpec, source: str) -> Contract:
        deployer = Deployer(self.rpc, ADMIN)
        token = deployer.create(vyper_artifact(_CONTRACTS / source), spec.symbol, spec.symbol, spec.decimals)
        deployer.flush()
        self.know_token(Token(spec.symbol, token.address, spec.decimals), spec.price)
        return token
