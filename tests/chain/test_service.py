"""``keeper run`` as an operator runs it: the real script, real protocols, signals, files and HTTP."""

import json
import signal
from pathlib import Path

import pytest

from tests.chain.service_stage import SIGNERS, theatre


async def test_a_crash_is_liquidated_and_everything_can_be_asked(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        at.configure(risk=f'kill_switch = "{tmp_path / "stop"}"')
        service = at.start()
        (started,) = await service.until("daemon.started")
        assert started["mode"] == "live"
        await service.ready()
        assert (await service.get("/healthz"))[0] == 200
        second = await at.command("run")
        assert second.returncode == 4
        assert "moved by another keeper" in second.stderr

        await at.crash()
        await service.until("liquidation.included", 2, at.slot)
        status, text = await service.get("/opportunities")
        assert status == 200
        seen = json.loads(text)
        assert int(seen["outcomes"]["included"]) >= 2
        landed = next(one["accounts"][0] for one in seen["opportunities"] if one["outcome"] == "included")
        metrics = (await service.get("/metrics"))[1]
        assert 'keeper_opportunities_total{outcome="included"}' in metrics
        assert 'keeper_step_seconds_bucket{le="+Inf",step="plan"}' in metrics
        assert 'keeper_relay_up{relay="flashbots"} 1.0' in metrics
        assert "keeper_feeds_stale 0.0" in metrics
        why = await at.command("why", landed, "--json")
        assert why.returncode == 0
        assert json.loads(why.stdout.splitlines()[0])["verdict"] in {"landed_provisional", "in flight"}

        assert await at.stopped(service) == 0
        assert [service.lines[-1]["event"], service.lines[-1]["exit_code"]] == ["daemon.stopped", "0"]
        service.check_lines()
        assert not at.at.relay.public.sent_by(SIGNERS)
        audit = await at.command("audit", "--all", "--json")
        assert audit.returncode == 0, audit.stdout


async def test_without_a_signer_it_watches_says_so_and_sends_nothing(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        at.configure(signer=False)
        before = at.spent()
        service = at.start()
        (started,) = await service.until("daemon.started")
        assert started["mode"] == "read-only"
        assert "no signer is configured" in started["reason"]
        await service.ready()
        await at.crash()
        planned = await service.until("opportunity.planned", 1, at.slot)
        await at.slot()
        weak = service.of("account.liquidatable")[0]["account"]
        why = await at.command("why", weak, "--json")
        assert (why.returncode, json.loads(why.stdout)["verdict"]) == (0, "refused")
        assert planned
        assert at.spent() == before
        assert await at.stopped(service) == 0
        service.check_lines()


async def test_the_kill_switch_stops_sending_and_a_reload_changes_what_it_may(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        stop = tmp_path / "stop"
        stop.touch()
        at.configure(risk=f'kill_switch = "{stop}"')
        before = at.spent()
        service = at.start()
        await service.until("daemon.started")
        await service.until("indexer.caught_up")
        await at.crash()
        await service.until("opportunity.planned", 2, at.slot)
        await service.unready(["halted"], at.slot)
        assert at.spent() == before
        assert not service.of("submission.sent")
        weak = next(iter(json.loads((await service.get("/opportunities"))[1])["skips"]))
        assert weak["reason"] in {"risk.halted", "unprofitable", "no_route"}

        good = at.config.read_text()
        at.config.write_text(good.replace("[policy]", "[policy]\nmin_profit = -3"))
        service.tell(signal.SIGHUP)
        (rejected,) = await service.until("config.rejected")
        assert "min_profit" in rejected["problems"][0]
        at.configure(policy='min_profit = "1000000 ether"', risk=f'kill_switch = "{stop}"')
        service.tell(signal.SIGHUP)
        loaded = await service.until("config.loaded", 2)
        assert loaded[-1]["reloaded"] == ["policy"]
        stop.unlink()
        await service.until("risk.breaker_closed")
        planned = len(service.of("opportunity.planned"))
        for _ in range(3):
            await at.slot()
        await service.until("opportunity.skipped", 1, at.slot)
        assert len(service.of("opportunity.planned")) <= planned + 1
        assert at.spent() == before

        at.configure(risk=f'kill_switch = "{stop}"')
        service.tell(signal.SIGHUP)
        await service.until("config.loaded", 3)
        await service.until("liquidation.included", 1, at.slot)
        assert await at.stopped(service) == 0
        service.check_lines()


@pytest.mark.slow
async def test_sigterm_in_flight_waits_for_the_chain_to_decide(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        at.configure()
        service = at.start()
        await service.ready()
        await at.crash((0.8,))
        await service.until("submission.sent")
        service.tell(signal.SIGTERM)
        (stopping,) = await service.until("daemon.stopping")
        assert int(stopping["in_flight"]) > 0
        assert await at.played_out(service) == 0
        assert not service.of("daemon.drain_timeout")
        after = service.lines[[line["event"] for line in service.lines].index("daemon.stopping") :]
        assert not [line for line in after if line["event"] == "opportunity.planned"]
        service.check_lines()


@pytest.mark.slow
async def test_a_second_signal_ends_at_once_and_the_state_is_whole(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        at.configure()
        service = at.start()
        await service.ready()
        await at.crash((0.8,))
        await service.until("submission.sent")
        service.tell(signal.SIGTERM)
        await service.until("daemon.stopping")
        service.tell(signal.SIGTERM)
        assert await service.ended() == -signal.SIGTERM
        assert (await at.command("audit", "--all", "--json")).returncode == 0


@pytest.mark.slow
async def test_killed_in_flight_and_started_again_nothing_is_sent_twice(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        at.configure()
        for factor in (0.9, 0.93, 0.95):
            service = at.start()
            await service.ready()
            await at.crash((factor,))
            await service.until("submission.sent")
            service.process.kill()
            await service.ended()
        service = at.start()
        await service.ready()
        await service.until("liquidation.included", 1, at.slot)
        for _ in range(6):
            await at.slot()
        assert await at.stopped(service) == 0
        done = [tx for slot in at.at.relay.slots for placed in slot.landed for tx in placed.bundle.txs]
        assert len({(tx.sender, tx.nonce) for tx in done}) == len(done)
        receipts = [at.at.world.rpc.rpc("eth_getTransactionReceipt", tx.hash) for tx in done]
        assert {receipt["status"] for receipt in receipts} == {"0x1"}
        audit = await at.command("audit", "--all", "--json")
        assert audit.returncode == 0, audit.stdout
