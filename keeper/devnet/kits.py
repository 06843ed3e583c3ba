"""Aave, version by version: which code deploys and configures which.

Law: what differs between versions is behind ``AaveKit``; the world and its helpers know no version.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from keeper.devnet import aave_v36, aave_v302
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import AaveLayout, EMode, Feed, Reserve, RiskSpec, Token
from keeper.errors import DevnetError


class AaveKit(Protocol):
    """One version. All but the ``read_`` functions queue transactions of ``ADMIN`` in a deployer."""

    MIN_DECIMALS: int  # of a token that can be listed

    def contract_artifact(self, name: str) -> Artifact: ...

    def deploy_aave(self, deployer: Deployer, tokens: Mapping[str, Token], feeds: Mapping[str, Feed]) -> AaveLayout: ...

    def init_reserves(
        self, deployer: Deployer, aave: AaveLayout, tokens: Mapping[str, Token], risk: Mapping[str, RiskSpec]
    ) -> None: ...

    def read_reserve(self, pool: Contract, token: Token) -> Reserve: ...

    def add_emode(self, deployer: Deployer, aave: AaveLayout, emode: EMode, tokens: Mapping[str, Token]) -> None: ...


KITS: Final[Mapping[str, AaveKit]] = {"3.0.2": aave_v302, "3.6": aave_v36}


def kit(version: str) -> AaveKit:
    """The kit of ``version``."""
    if version not in KITS:
        raise DevnetError(f"no Aave {version} here; there are {', '.join(KITS)}")
    return KITS[version]
