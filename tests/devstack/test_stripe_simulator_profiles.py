"""The permissive profile of the Stripe simulator: neither a guard against over-refunds nor a memory of keys."""

import signal
from pathlib import Path
from typing import Any

from tests.devstack.simulator import Simulator, pay, refund, refused


def test_the_faithful_profile_is_on_until_another_is_chosen(client: Any, simulator: Simulator) -> None:
    assert simulator.state()["profile"] == "faithful"
    payment = pay(client)
    made = [refund(client, payment, "key", amount=2000).id]

    simulator.post("profile", profile="permissive")
    made += [refund(client, payment, "key", amount=2000).id for _ in range(2)]
    made.append(refund(client, payment, amount=999_999).id)

    assert len(set(made)) == 4
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 1_005_999
    simulator.post("profile", profile="faithful")
    assert refused(client, payment).code == "charge_already_refunded"


def test_a_profile_is_chosen_at_the_start_and_kept_over_a_restart(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start("--profile", "permissive")
    started = simulator.state()["profile"]
    simulator.post("profile", profile="faithful")
    simulator.stop(signal.SIGKILL)

    simulator.start("--profile", "permissive")
    chosen = simulator.state()["profile"]
    simulator.post("reset")
    after_reset = simulator.state()["profile"]

    assert (started, chosen, after_reset) == ("permissive", "faithful", "permissive")
    assert simulator.stop(signal.SIGTERM) == 0
