"""npm packages with the contracts of the local world: pinned, checksummed, without a dependency tree.

Law: a package is used only when the sha512 of its tarball is the one on this page. ``npm pack`` downloads tarballs
and runs no script of them; what a package depends on is listed here itself or is not had.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from keeper.devnet.cache import build_once, cache_dir
from keeper.errors import DevnetError

_TIMEOUT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Package:
    """One version of one npm package and the ``integrity`` that npm gives for it."""

    name: str
    version: str
    integrity: str
    only: tuple[str, ...] = ()  # the files that are kept of a large package; empty: all

    @property
    def spec(self) -> str:
        """What ``npm pack`` is asked for."""
        return f"{self.name}@{self.version}"

    @property
    def tarball(self) -> str:
        """File name that ``npm pack`` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def directory(self) -> str:
        """Name in the cache. Holds part of the checksum, so that a changed pin never meets an old tree."""
        tag = hashlib.sha256("\0".join((self.integrity, *self.only)).encode()).hexdigest()[:12]
        return f"{self.name.removeprefix('@').replace('/', '+')}@{self.version}-{tag}"


ANVIL_LINUX_AMD64: Final = Package(
    "@foundry-rs/anvil-linux-amd64",
    "1.7.1",
    "sha512-+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg==",
)
AAVE_V302: Final = Package(
    "@aave/core-v3",
    "1.19.3",
    "sha512-Xr7+VcoU5b4mPwM4IUCnskw3lciwrnL4Xloyad8GOddYeixnri2lZYobNmErm1LwE50vqjI0O+9QGNKY2TDkeQ==",
)
UNISWAP_V3_CORE: Final = Package(
    "@uniswap/v3-core",
    "1.0.1",
    "sha512-7pVk4hEm00j9tc71Y9+ssYpO6ytkeI0y7WE9P6UcmNzhxPePwyAxImuhVsTqWK9YFvzgtvzJHi64pBl4jUzKMQ==",
)
UNISWAP_V3_PERIPHERY: Final = Package(
    "@uniswap/v3-periphery",
    "1.4.4",
    "sha512-S4+m+wh8HbWSO3DKk4LwUCPZJTpCugIsHrWR86m/OrUyvSqGDTXKFfc2sMuGXCZrD1ZqO3rhQsKgdWg3Hbb2Kw==",
)
UNISWAP_ROUTER_02: Final = Package(
    "@uniswap/swap-router-contracts",
    "1.3.1",
    "sha512-mh/YNbwKb7Mut96VuEtL+Z5bRe0xVIbjjiryn+iMMrK2sFKhR4duk/86mEz0UO5gSx4pQIw9G5276P5heY/7Rg==",
)
UNISWAP_V2_CORE: Final = Package(
    "@uniswap/v2-core",
    "1.0.1",
    "sha512-MtybtkUPSyysqLY2U210NBDeCHX+ltHt3oADGdjqoThZaFRDKwM6k1Nb3F0A3hk5hwuQvytFWhrWHOEq6nVJ8Q==",
)
UNISWAP_V2_PERIPHERY: Final = Package(
    "@uniswap/v2-periphery",
    "1.1.0-beta.0",
    "sha512-6dkwAMKza8nzqYiXEr2D86dgW3TTavUvCR0w2Tu33bAbM8Ah43LKAzH7oKKPRT5VJQaMi1jtkGs1E8JPor1n5g==",
)
CHAINLINK: Final = Package(
    "@chainlink/contracts",
    "0.1.7",
    "sha512-txVkGrwFYnyLUC/I5hTe7yZK7fjmB6YFULfBHqryRuREUmGd4bdpXfrcUUsZycmWibanp69QVyQBpsDrPhWsjw==",
)
AAVE_V36: Final = Package(
    "@aave-dao/aave-v3-origin",
    "3.6.0",
    "sha512-TwK/TpTZGArN0G3AE+0NoafsaXc7BiXdZhYuxcD+8A5OjIGolp0cqu5FZcTDLo/pbavJvMU5v0php/LEJiJ/cQ==",
)
OPENZEPPELIN: Final = Package(
    "@openzeppelin/contracts",
    "5.7.0",
    "sha512-IL2AZpI+7THMzt1u6Cxmc1zLwVnudtUGvrqXQ/HnbLKfQ/8dIWMMQPDwPIjRQzNrlAo4cxZaCGRB/XvwPo9ILA==",
)
OPENZEPPELIN_UPGRADEABLE: Final = Package(
    "@openzeppelin/contracts-upgradeable",
    "5.7.0",
    "sha512-dHA/P3AFsnNXcv82Kge/v35kK0ByNe1EFv4vvOnl//lc8svwRcj5i/bdXd5mdMolD4rjSKy6EWOwc6+7h1gjaQ==",
)
BGD_UTILS: Final = Package(
    "@bgd-labs/solidity-utils",
    "1.1.2",
    "sha512-GgKwrjgdfnd9yKiWX1LDWysbVIyw/HTvqewq+4I2FAJXJt7AdUgSOCSi/cJi4dymsQmE1u/zgXHSeFH5fI+XsA==",
)
SOLC_0837: Final = Package(
    "solc",
    "0.8.37",
    "sha512-ieUYdPDRGNKMsZpCfi9tY64Q+ASoL8tyhLuvf9cFiqDs+6ijlx8Wn2CRi0N71AlCvRx0V092rlUYu3b3PuxWlA==",
)
BALANCER_VAULT: Final = Package(
    "@balancer-labs/v2-vault",
    "3.0.1",
    "sha512-uVvHWDR8sGUCxdMOluYPEjeqeNYHo9/47ALYnpv4NLdXwNH8nw7PWun+cExLLdTBJ3XEc/6IyuYUlfcoWWpfcw==",
)
BALANCER_INTERFACES: Final = Package(
    "@balancer-labs/v2-interfaces",
    "0.2.1",
    "sha512-CBbUKjIJKdPwPGW5PCjqwStbvu9+qonnx0sY8vhIn1hJ17kopio6HCe7SsyMF7vWOd4YqzUq4Zc/6kyHH+8Bpg==",
)
BALANCER_UTILS: Final = Package(
    "@balancer-labs/v2-solidity-utils",
    "3.0.1",
    "sha512-uhaQbgFyT5uRWW39aPWH0ZARzqIICJvwZXKJpv7EPG2NAUrf03ZsF/Zb3gxpTZXfNoKsKznJWtxgJ1W0rnLu9w==",
)
MORPHO_BLUE: Final = Package(
    "@morpho-org/morpho-blue",
    "1.0.0",
    "sha512-MKtzYMRE65B1hVJYAPtml3ecHPY2e/SL3JRvM7XWjtbnWQX6U/C3beSdxr7v+rHaVJ0ri/dUPxvNfWtr0NZdGw==",
)
SOLC_0706: Final = Package(
    "solc",
    "0.7.6",
    "sha512-WsR/W7CXwh2VnmZapB4JrsDeLlshoKBz5Pz/zYNulB6LBsOEHI2Zj/GeKLMFcvv57OHiXHvxq5ZOQB+EdqxlxQ==",
)
SOLC_0819: Final = Package(
    "solc",
    "0.8.19",
    "sha512-yqurS3wzC4LdEvmMobODXqprV4MYJcVtinuxgrp61ac8K2zz40vXA0eSAskSHPgv8dQo7Nux39i3QBsHx4pqyA==",
)
PERP_CURIE: Final = Package(
    "@perp/curie-contract",
    "2.8.4",
    "sha512-fTHxpzzuHlSyCEvI6T8Ya10Oz3Y4T06YTiCciR/4uvR9rx/9Afmm8nDLJ85ZwXiA0edce9bPUkE/ZcKY4xkJEw==",
)
PERP_ORACLE: Final = Package(
    "@perp/perp-oracle-contract",
    "0.6.7",
    "sha512-Pqoy4dlcMoy5oEbWOnaHbS1CQTee0ZbfEc//fS2ze0o1IVCrvhP1S+wS+6ZZtJ6Oz1RGPtGnF/F98Av7SHlVaA==",
)

_FACETS: Final = "artifacts/contracts/Comptroller/Diamond/facets"
_TOKENS: Final = "artifacts/contracts/Tokens"
VENUS: Final = Package(
    "@venusprotocol/venus-protocol",
    "10.3.0",
    "sha512-qGvjvUgYhK5REF/Cj4Lg4FNBMrEscnSSxr4sHL4WDlb2woPucvqLfGkw/f3XKFanf+lWD1G4K0Gzpdc430+BeQ==",
    only=(
        "artifacts/@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol/ERC1967Proxy.json",
        "artifacts/@venusprotocol/oracle/contracts/DeviationBoundedOracle.sol/DeviationBoundedOracle.json",
        "artifacts/contracts/Comptroller/Diamond/Diamond.sol/Diamond.json",
        f"{_FACETS}/MarketFacet.sol/MarketFacet.json",
        f"{_FACETS}/PolicyFacet.sol/PolicyFacet.json",
        f"{_FACETS}/SetterFacet.sol/SetterFacet.json",
        "artifacts/contracts/Comptroller/Unitroller.sol/Unitroller.json",
        "artifacts/contracts/InterestRateModels/JumpRateModel.sol/JumpRateModel.json",
        "artifacts/contracts/InterestRateModels/TwoKinksInterestRateModel.sol/TwoKinksInterestRateModel.json",
        "artifacts/contracts/Lens/ComptrollerLens.sol/ComptrollerLens.json",
        "artifacts/contracts/Liquidator/Liquidator.sol/Liquidator.json",
        f"{_TOKENS}/VAI/VAI.sol/VAI.json",
        f"{_TOKENS}/VAI/VAIController.sol/VAIController.json",
        f"{_TOKENS}/VAI/VAIUnitroller.sol/VAIUnitroller.json",
        f"{_TOKENS}/VTokens/VBNB.sol/VBNB.json",
        f"{_TOKENS}/VTokens/VBep20Delegate.sol/VBep20Delegate.json",
        f"{_TOKENS}/VTokens/VBep20Delegator.sol/VBep20Delegator.json",
        "artifacts/contracts/test/AccessControlManagerMock.sol/AccessControlManagerMock.json",
    ),
)
VENUS_ORACLE: Final = Package(
    "@venusprotocol/oracle",
    "2.16.0",
    "sha512-glqLXVBTL5zTSZsdw71aE3UZrH8CeRZfv5tKapZhP5Yi1in8HfKoNoWMqEji4lgBGCUArZJ85jVG9SesNDi8PA==",
    only=(
        "artifacts/contracts/ResilientOracle.sol/ResilientOracle.json",
        "artifacts/contracts/oracles/BoundValidator.sol/BoundValidator.json",
        "artifacts/contracts/oracles/ChainlinkOracle.sol/ChainlinkOracle.json",
    ),
)

# What the quick tier and the demo need beside anvil, and what the slow tier needs on top of it.
QUICK: Final = (
    AAVE_V302,
    UNISWAP_V3_CORE,
    UNISWAP_V3_PERIPHERY,
    UNISWAP_ROUTER_02,
    UNISWAP_V2_CORE,
    UNISWAP_V2_PERIPHERY,
    CHAINLINK,
    BALANCER_VAULT,
    BALANCER_INTERFACES,
    BALANCER_UTILS,
    MORPHO_BLUE,
    SOLC_0706,
    SOLC_0819,
    VENUS,
    VENUS_ORACLE,
    PERP_CURIE,
    PERP_ORACLE,
)
SLOW: Final = (AAVE_V36, OPENZEPPELIN, OPENZEPPELIN_UPGRADEABLE, BGD_UTILS, SOLC_0837)


def package_dir(package: Package) -> Path:
    """The unpacked, verified package; downloaded on first use."""
    fetch([package])
    return _folder(package)


def fetch(packages: Iterable[Package]) -> None:
    """Downloads, verifies and unpacks what is not there yet, with one call of npm."""
    missing = [package for package in packages if not _folder(package).is_dir()]
    if not missing:
        return
    with tempfile.TemporaryDirectory(prefix="keeper-npm-") as downloads:
        _download(missing, Path(downloads))
        for package in missing:
            tarball = Path(downloads) / package.tarball
            verify(package, tarball)
            build_once(_folder(package), partial(unpack, tarball, only=package.only))


def _folder(package: Package) -> Path:
    return cache_dir() / "packages" / package.directory


def verify(package: Package, tarball: Path) -> None:
    """Refuses a tarball whose sha512 is not the pinned one."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != package.integrity:
        msg = (
            f"npm package {package.spec} is not the pinned one: expected {package.integrity}, got {found}; "
            f"nothing was unpacked; ask whoever serves your npm packages why"
        )
        raise DevnetError(msg)


def unpack(tarball: Path, target: Path, only: Sequence[str] = ()) -> None:
    """The tarball's files without their leading folder; of a large one those that are used.

    By hand: the safe way of tarfile came with Python 3.11.4.
    """
    with tarfile.open(tarball) as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            content = archive.extractfile(member) if member.isfile() and (not only or name in only) else None
            if content is None:
                continue
            path = target / name
            if not path.resolve().is_relative_to(target.resolve()):
                raise DevnetError(
                    f"{tarball.name} holds {member.name}, which is outside of it; nothing more is unpacked"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _download(packages: Sequence[Package], target: Path) -> None:
    specs = [package.spec for package in packages]
    command = ["npm", "pack", "--ignore-scripts", "--prefer-offline", "--silent", "--pack-destination", str(target)]
    what = ", ".join(specs)
    try:
        done = subprocess.run(
            [*command, *specs], cwd=target, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        msg = f"npm is needed to fetch {what} for the local chain and is not on PATH; install Node.js 20"
        raise DevnetError(msg) from error
    except subprocess.TimeoutExpired as error:
        msg = f"npm pack {what} gave no answer for {_TIMEOUT:.0f} s; check the network and try again"
        raise DevnetError(msg) from error
    if done.returncode != 0 or not all((target / package.tarball).is_file() for package in packages):
        said = (done.stderr or done.stdout).strip()[-400:]
        msg = f"npm pack {what} failed (exit {done.returncode}): {said or 'it said nothing'}"
        raise DevnetError(msg)
