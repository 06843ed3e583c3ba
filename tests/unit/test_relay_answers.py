"""Every error shape of the relays' documents, and what must be concluded from it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.submissions import AckStatus
from keeper.executor.relays.answer import DETAIL, read

HASH = "0x" + "ab" * 32
RAW = "0x02f9" + "cd" * 300


@pytest.mark.parametrize(
    ("http", "body", "remote_id"),
    [
        (200, f'{{"jsonrpc":"2.0","id":1,"result":{{"bundleHash":"{HASH}"}}}}', HASH),
        (200, f'{{"jsonrpc":"2.0","id":1,"result":{{"bundleHash":"{HASH}","smart":true}}}}', HASH),
        (200, f'{{"result":{{"bundleHash":"{HASH}","receivedTimestampMs":1731.5}}}}', HASH),
        (200, f'{{"id":1,"result":"{HASH}"}}', HASH),  # Blink; a raw transaction's hash
        (200, f'"{HASH}"', HASH),  # the hash alone
        (200, '{"result":null,"error":null,"id":1}', None),  # Titan
        (200, '{"result":200,"error":null,"id":1}', None),  # Titan, cancellation
        (200, '{"result":200}', None),
        (200, '{"result":{}}', None),
        (200, '{"id":1,"error":{"code":-32000,"message":"already known"}}', None),  # our own, sent before
        (400, '{"id":1,"error":{"code":-32000,"message":"ALREADY_EXISTS: already known"}}', None),
    ],
)
def test_taken(http: int, body: str, remote_id: str | None) -> None:
    verdict = read(http, body.encode())
    assert verdict.status is AckStatus.ACCEPTED
    assert verdict.remote_id == remote_id


@pytest.mark.parametrize(
    ("http", "body", "detail"),
    [
        (400, '{"error":"unable to decode txs"}', "HTTP 400: unable to decode txs"),
        (200, '{"error":"unable to decode txs"}', "HTTP 200: unable to decode txs"),
        (
            200,
            f'{{"error":{{"code":-32000,"message":"err: nonce too high: address 0x1; txhash {HASH}"}}}}',
            f"HTTP 200: -32000 err: nonce too high: address 0x1; txhash {HASH}",
        ),
        (400, '{"error":{"code":-32000,"message":"err: nonce too high"}}', "HTTP 400: -32000 err: nonce too high"),
        (
            200,
            '{"error":{"code":-32000,"message":"unable to decode bundle"}}',
            "HTTP 200: -32000 unable to decode bundle",
        ),
        (200, '{"error":{"code":-32600,"message":"no signature provided"}}', "HTTP 200: -32600 no signature provided"),
        (200, '{"error":{"code":-32601,"message":"method not found"}}', "HTTP 200: -32601 method not found"),
        (200, '{"error":{"code":-32700,"message":"Parse error"}}', "HTTP 200: -32700 Parse error"),
        (400, '{"error":{"code":-32602,"message":"Invalid params"}}', "HTTP 400: -32602 Invalid params"),
        (404, '{"error":{"code":-32602,"message":"Invalid params"}}', "HTTP 404: -32602 Invalid params"),
        (429, '{"error":{"code":-32602,"message":"Invalid params"}}', "HTTP 429: -32602 Invalid params"),
        (400, '{"error":{"code":-32603,"message":"Invalid signature"}}', "HTTP 400: -32603 Invalid signature"),
        (429, '{"error":{"code":-32603,"message":"Rate limited"}}', "HTTP 429: -32603 Rate limited"),
        (403, "", "HTTP 403:"),
        (415, "Unsupported Media Type", "HTTP 415: Unsupported Media Type"),
        (429, "<html><body>slow   down\n</body></html>", "HTTP 429: <html><body>slow down </body></html>"),
        (301, "", "HTTP 301:"),
        (400, '{"result":null}', 'HTTP 400: {"result":null}'),
    ],
)
def test_refused(http: int, body: str, detail: str) -> None:
    verdict = read(http, body.encode())
    assert verdict.status is AckStatus.REJECTED
    assert verdict.detail.strip() == detail
    assert verdict.remote_id is None


@pytest.mark.parametrize(
    ("http", "body"),
    [
        (500, '{"error":{"code":-32603,"message":"Internal error"}}'),
        (500, '{"error":{"code":-32603,"message":"Disk full"}}'),
        (500, '{"error":{"code":-32602,"message":"Invalid params"}}'),
        (502, "<html>Bad Gateway</html>"),
        (503, ""),
        (408, ""),
        (200, "<html>welcome to the hotel's wireless</html>"),
        (200, ""),
        (200, "{}"),
        (200, "[]"),
        (200, "200"),
        (200, "null"),
        (200, '"ok"'),
        (200, '{"jsonrpc":"2.0","id":1}'),
        (200, '{"result":{"bundleHash":"0x'),  # cut short
    ],
)
def test_may_have_landed(http: int, body: str) -> None:
    assert read(http, body.encode()).status is AckStatus.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        f'{{"error":"cannot decode {RAW}"}}',
        f'{{"error":{{"code":-1,"message":"bad: {RAW[2:]}"}}}}',
        f'{{"error":{{"code":-1,"data":"{RAW}"}}}}',
        f"<html>{RAW}</html>",
    ],
)
@pytest.mark.parametrize("http", [200, 400, 500])
def test_an_echoed_transaction_is_not_quoted(http: int, body: str) -> None:
    assert "cdcdcdcd" not in read(http, body.encode()).detail


@given(st.integers(200, 599), st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_nothing_raises_and_nothing_is_long(http: int, body: bytes) -> None:
    verdict = read(http, body)
    assert len(verdict.detail) <= DETAIL + len("unreadable: ")
    if http >= 500:
        assert verdict.status is AckStatus.UNKNOWN
