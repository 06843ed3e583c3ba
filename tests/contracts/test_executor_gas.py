"""The benchmark's figures are the promise: gas does not depend on the machine."""

import pytest

from keeper.bench.gas import GUARDS, run
from keeper.bench.gas_morpho import GUARDS as BY_CALLBACK
from keeper.bench.gas_world import without
from keeper.contracts.artifact import source_text


@pytest.mark.slow
def test_liquidations_cost_no_more_than_promised() -> None:
    found = run(10)
    assert found["ratio_flash_swap"] <= 1.25  # goal 1.35
    assert found["ratio_flash_loan"] <= 1.43  # goal 1.58
    assert found["ratio_batch_to_singles"] <= 0.5  # goal 0.85
    assert found["ratio_batch_to_singles_by_shared_loan"] <= 0.45 < found["ratio_batch_to_singles_by_loan"]
    assert found["late_after_rival"] < 50_000
    assert found["late_after_recovery_probed"] < found["late_after_recovery"] // 2
    assert found["access_list"] < 0
    assert all(found[f"guard_{guard}"] > 0 for guard in GUARDS)
    assert found["guards_of_flash_swap_together"] < 10_000
    assert found["ratio_morpho_callback"] <= 1.65  # of a liquidator who holds the loan and keeps the collateral
    assert found["guards_by_callback_together"] < 4_500


def test_a_guard_left_out_is_gone_and_nothing_else() -> None:
    source = source_text()
    for guard in (*GUARDS, *BY_CALLBACK, "initiator", "pool", "probe"):
        less = without(source, [guard])
        removed = [line for line in source.splitlines() if line not in less.splitlines()]
        assert f"# [{guard}" not in less
        assert any(guard in line for line in removed)
        assert less.count("\ndef ") == source.count("\ndef ")
    with pytest.raises(ValueError, match="no guard"):
        without(source, ["nonsense"])
