"""No secret is in any line, however it got there."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from keeper import log
from keeper.redact import MASK, hide, redact_text, url_secrets

pytestmark = pytest.mark.spills
KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # anvil's first, known to everyone
API_KEY = "aBcDeF0123456789aBcDeF0123456789"
RAW = Account.sign_transaction(
    {"to": "0x" + "11" * 20, "value": 1, "gas": 21000, "maxFeePerGas": 2, "maxPriorityFeePerGas": 1, "nonce": 0}
    | {"chainId": 1, "data": b""},
    KEY,
).raw_transaction.to_0x_hex()
SECRETS = (KEY, API_KEY, "correct horse", "junk", "12345678", RAW[12:60], RAW[-40:])


@pytest.fixture(params=[False, True], ids=["json", "human"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = io.StringIO()
    log.configure(stream=out, human=request.param)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    log.configure(stream=sys.stderr)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("private_key", f"0x{KEY}"),
        ("anything", {"private_key": KEY}),
        ("password", "correct horse"),
        ("signer_password", "correct horse"),
        ("mnemonic", ["correct horse", "junk"]),
        ("api_key", API_KEY),
        ("authorization", f"Bearer {API_KEY}"),
        ("secret", 12345678),
        ("raw", RAW[:60]),
        ("raw_transactions", [RAW, RAW]),
    ],
)
def test_a_secret_is_masked_by_its_name(stream: io.StringIO, name: str, value: object) -> None:
    log.get_logger(**{name: value}).warning("library.message")
    assert MASK in stream.getvalue()
    assert not [secret for secret in SECRETS if secret in stream.getvalue()]


@pytest.mark.parametrize(
    "value",
    [
        f"https://eth-mainnet.example.com/v2/{API_KEY}",
        f"wss://example.com/?token={API_KEY}&x=1",
        f"https://someone:{API_KEY}@example.com",
        f"https://{API_KEY}.example.com/rpc",
        f"Cannot connect to 'https://example.com/{API_KEY}/', twice: https://example.com/{API_KEY}",
        RAW,
        {"params": [{"txs": [RAW.removeprefix("0x")]}]},
        ValueError(f"bad bundle {RAW}"),
    ],
)
def test_a_secret_is_masked_by_its_shape_wherever_it_stands(stream: io.StringIO, value: object) -> None:
    log.get_logger().warning("library.message", message=value, more=[{"deep": value}])
    log.get_logger().error("library.message", exc_info=RuntimeError(f"while {value}"))
    logging.getLogger("some.library").error("%s and %s", value, [value])
    assert stream.getvalue().count("library.message") == 3
    assert not [secret for secret in SECRETS if secret in stream.getvalue()]


def test_a_hidden_value_is_masked_in_any_field_message_and_traceback(stream: io.StringIO) -> None:
    hide(f"0x{KEY}")
    log.get_logger().info("library.message", a=KEY, b=[f"0x{KEY}"], c={"d": KEY.upper()}, message=f"says {KEY}")
    logging.getLogger("some.library").error("the key is %s", KEY)
    log.get_logger().error("library.message", exc_info=ValueError(KEY))
    logged = stream.getvalue()
    assert logged.lower().count(KEY) == 0
    assert logged.count(MASK) >= 6


@pytest.mark.parametrize(
    "value",
    [
        "0x" + "ab" * 32,  # a hash
        "0x" + "ab" * 20,  # an address
        str(2**256 - 1),  # a health factor without debt, longer than a hash
        "https://mainnet.base.org/",
        "https://arb1.arbitrum.io/rpc",
        "http://127.0.0.1:8545",
        "wss://ethereum-rpc.publicnode.com",
        "opportunity 0x1234-5",
    ],
)
def test_what_is_no_secret_stays_readable(value: str) -> None:
    assert redact_text(value) == value


def test_a_long_text_is_cut_in_its_middle() -> None:
    page = "<html>" + "lorem ipsum " * 2_000 + "</html>"
    cut = redact_text(page)
    assert len(cut) < 2_100
    assert cut.startswith("<html>")
    assert cut.endswith("</html>")


@given(
    user=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    word=st.from_regex(r"[A-Za-z0-9_-]{8,40}", fullmatch=True),
    host=st.from_regex(r"[a-z]{3,10}\.(com|org)", fullmatch=True),
    path=st.from_regex(r"(/[a-z]{1,5}){0,3}", fullmatch=True),
)
def test_urls_keep_their_host_and_lose_their_credentials(user: str, word: str, host: str, path: str) -> None:
    url = f"https://{user}:{word}@{host}{path}?key={word}"
    assert set(url_secrets(url)) == {user, word}
    assert redact_text(f"at {url}.") == f"at https://***:***@{host}{path}?key=***"


@given(st.binary(min_size=33, max_size=400))
def test_hex_longer_than_a_hash_is_never_whole(data: bytes) -> None:
    shown = redact_text(json.dumps({"data": "0x" + data.hex()}))
    assert data.hex() not in shown
    assert f"({len(data)} bytes)" in shown
