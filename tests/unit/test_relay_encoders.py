"""Every dialect against the bytes it must post, written out by hand from the builders' documents."""

from dataclasses import replace

import pytest

from keeper.core.submissions import Bid, Capability, Simulated, Submission, Window, refusal
from keeper.core.units import Address, Amount, BlockNumber, Bps, Hash, Wei
from keeper.executor.relays.bloxroute import Bloxroute
from keeper.executor.relays.buildernet import BuilderNet
from keeper.executor.relays.call import Call, Dialect
from keeper.executor.relays.flashbots import Flashbots
from keeper.executor.relays.fork import Fork
from keeper.executor.relays.public import Public
from keeper.executor.relays.raw_sequencer import RawSequencer
from keeper.executor.relays.titan import Titan

UUID = "6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab"
EVENT = Hash("0x" + "ee" * 32)
SINGLE = Submission(
    id="aave-1-0xabc",
    chain=1,
    eoa=Address("0x" + "11" * 20),
    nonce=7,
    raw_txs=(b"\x02\xf8\x01",),
    tx_hashes=(Hash("0x" + "aa" * 32),),
    target_block=BlockNumber(0x102286B),
    window=Window(BlockNumber(0x102286B), BlockNumber(0x102286E)),
    deadline_ts=1_700_000_000.0,
    bid=Bid(Wei(1), Bps(9000), Wei(10**15)),
    sim=Simulated(BlockNumber(0x102286A), 400_000, Wei(10**15), Amount(10**16)),
    revision=3,
)
PAIR = replace(SINGLE, raw_txs=(b"\x02\xf8\x01", b"\x02\xf8\x02"), tx_hashes=SINGLE.tx_hashes * 2)
BACKRUN = replace(SINGLE, trigger=EVENT)

ENVELOPE = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}'
PLAIN = (
    b'[{"txs":["0x02f801","0x02f802"],"blockNumber":"0x102286b",'
    b'"replacementUuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab"}]'
)
CANCEL = ENVELOPE % (b"eth_cancelBundle", b'[{"replacementUuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab"}]')


@pytest.mark.parametrize(
    ("dialect", "submission", "method", "params"),
    [
        (Titan(), PAIR, b"eth_sendBundle", PLAIN),
        (Flashbots(), PAIR, b"eth_sendBundle", PLAIN),
        (
            Flashbots(("Titan", "Quasar")),
            PAIR,
            b"eth_sendBundle",
            PLAIN[:-2] + b',"builders":["Titan","Quasar"]}]',
        ),
        (
            Flashbots(),
            BACKRUN,
            b"mev_sendBundle",
            b'[{"version":"v0.1","inclusion":{"block":"0x102286b","maxBlock":"0x102286b"},'
            b'"body":[{"hash":"0x%s"},{"tx":"0x02f801","canRevert":false}],'
            b'"replacementUuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab"}]' % (b"ee" * 32),
        ),
        (
            Flashbots(("flashbots",)),
            BACKRUN,
            b"mev_sendBundle",
            b'[{"version":"v0.1","inclusion":{"block":"0x102286b","maxBlock":"0x102286b"},'
            b'"body":[{"hash":"0x%s"},{"tx":"0x02f801","canRevert":false}],'
            b'"privacy":{"builders":["flashbots"]},'
            b'"replacementUuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab"}]' % (b"ee" * 32),
        ),
        (BuilderNet(), PAIR, b"eth_sendBundle", PLAIN[:-2] + b',"version":"v2","replacementNonce":6}]'),
        (
            Bloxroute("secret"),
            PAIR,
            b"blxr_submit_bundle",
            (
                b'{"transaction":["02f801","02f802"],"block_number":"0x102286b",'
                b'"uuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab","mev_builders":{"all":""}}'
            ),
        ),
        (
            Bloxroute("secret", ("bloxroute", "titan")),
            SINGLE,
            b"blxr_submit_bundle",
            (
                b'{"transaction":["02f801"],"block_number":"0x102286b",'
                b'"uuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab","mev_builders":{"bloxroute":"","titan":""}}'
            ),
        ),
        (RawSequencer(), SINGLE, b"eth_sendRawTransaction", b'["0x02f801"]'),
        (Fork(), SINGLE, b"eth_sendRawTransaction", b'["0x02f801"]'),
        (Public(), SINGLE, b"eth_sendRawTransaction", b'["0x02f801"]'),
    ],
)
def test_bytes_of_a_submission(dialect: Dialect, submission: Submission, method: bytes, params: bytes) -> None:
    assert refusal(dialect.capabilities, submission) is None
    assert dialect.submit(submission, UUID).body == ENVELOPE % (method, params)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Titan(), CANCEL),
        (Flashbots(("Titan",)), CANCEL),
        (
            BuilderNet(),
            ENVELOPE
            % (
                b"eth_sendBundle",
                (
                    b'[{"txs":[],"blockNumber":"0x102286b","replacementUuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab",'
                    b'"version":"v2","replacementNonce":7}]'
                ),
            ),
        ),
        (
            Bloxroute("secret"),
            ENVELOPE
            % (
                b"blxr_submit_bundle",
                (
                    b'{"transaction":[],"block_number":"0x102286b","uuid":"6f1c1b5e-1c1a-4d3e-9c1f-0123456789ab",'
                    b'"mev_builders":{"all":""}}'
                ),
            ),
        ),
    ],
)
def test_bytes_of_a_cancellation(dialect: Dialect, body: bytes) -> None:
    call = dialect.cancel(PAIR, UUID)
    assert call is not None
    assert call.body == body
    assert Capability.CANCEL in dialect.capabilities


@pytest.mark.parametrize("dialect", [RawSequencer(), Fork(), Public()])
def test_what_is_sent_raw_cannot_be_cancelled(dialect: Dialect) -> None:
    assert dialect.cancel(SINGLE, UUID) is None
    assert Capability.CANCEL not in dialect.capabilities


def test_a_later_revision_outranks_the_cancellation_of_an_earlier_one() -> None:
    """BuilderNet ignores lower sequence numbers: bundle 3, its cancellation, bundle 4 must ascend."""

    def sequence(call: Call | None) -> int:
        assert call is not None
        return int(call.body.rsplit(b":", 1)[1].rstrip(b"}]"))

    later = replace(PAIR, revision=PAIR.revision + 1)
    sent, cancelled = BuilderNet().submit(PAIR, UUID), BuilderNet().cancel(PAIR, UUID)
    assert sequence(sent) < sequence(cancelled) < sequence(BuilderNet().submit(later, UUID))


@pytest.mark.parametrize(
    ("dialect", "submission"),
    [
        (RawSequencer(), PAIR),
        (Fork(), PAIR),
        (Public(), PAIR),
        (RawSequencer(), BACKRUN),
        (Titan(), BACKRUN),
        (BuilderNet(), BACKRUN),
        (Bloxroute("secret"), BACKRUN),
        (Flashbots(), replace(PAIR, trigger=EVENT)),
    ],
)
def test_a_channel_is_not_given_what_it_cannot_keep(dialect: Dialect, submission: Submission) -> None:
    assert refusal(dialect.capabilities, submission) is not None


@pytest.mark.parametrize("dialect", [RawSequencer(), Fork(), Public()])
def test_a_raw_channel_never_sends_one_leg_of_many(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="too many values"):
        dialect.submit(PAIR, UUID)


def test_only_bloxroute_carries_an_account_and_only_builders_an_identity() -> None:
    assert Bloxroute("secret").submit(SINGLE, UUID).headers == (("Authorization", "secret"),)
    assert Bloxroute("secret").probe().headers == (("Authorization", "secret"),)
    unsigned = (Bloxroute("secret"), RawSequencer(), Fork(), Public())
    assert [dialect.identified for dialect in unsigned] == [False] * 4
    assert [dialect.identified for dialect in (Flashbots(), BuilderNet(), Titan())] == [True] * 3


def test_secrets_and_transactions_are_not_in_reprs() -> None:
    assert "secret" not in repr(Bloxroute("secret"))
    assert repr(Bloxroute("secret").submit(SINGLE, UUID)) == "Call()"
    assert "02f801" not in repr(SINGLE)
    assert "raw_txs" not in repr(SINGLE)
