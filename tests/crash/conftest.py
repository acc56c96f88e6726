"""One stack for all crash cases, without a worker of its own: the crew of crash workers takes its place."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.chain import depositor
from devstack.stack import Stack
from tests.crash.cases import Case
from tests.crash.chains import LocalChain, local_chains, settings
from tests.crash.crew import Crew
from tests.crash.storm import PatientTown, Played, Storm

CHAINS_MAX = 16
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """Return the cases that this run has chosen: a storm plays no others."""
    callspecs = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [spec.params["case"] for spec in callspecs if spec is not None and "case" in spec.params]
    return [case for case in dict.fromkeys(chosen) if isinstance(case, Case)]


@pytest.fixture(scope="module")
def chains(cases: list[Case]) -> Iterator[list[LocalChain]]:
    """Run one chain to be shared and, up to a number, one for each case that must be alone on its own."""
    alone = sum(case.needs_own_chain for case in cases)
    with local_chains(min(CHAINS_MAX, 1 + alone)) as running:
        yield running


def hasty_policy(folder: Path) -> Path:
    """Write a policy under which a chain payout that waits for a block is outbid within seconds."""
    policy = folder / "policy.toml"
    hasty = "[handling]\nfee_raise_seconds = 2\nfee_raise_blocks = 0\n"
    policy.write_text((ROOT / "policy.toml").read_text().replace("[handling]\n", hasty))
    return policy


@pytest.fixture(scope="module")
def stack(chains: list[LocalChain], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("crash")
    outside = {**os.environ, **settings(chains, folder), "REFUNDS_POLICY": str(hasty_policy(folder))}
    with Stack(folder / "stack", outside, runs_worker=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def database_url(stack: Stack) -> str:
    assert stack.worker is not None
    return stack.worker.environment["REFUNDS_DATABASE_URL"]


@pytest.fixture(scope="module")
def crew(stack: Stack) -> Iterator[Crew]:
    assert stack.worker is not None
    folder: Path = stack.folder.path / "crew"
    folder.mkdir()
    with Crew(stack.worker.environment, folder) as crew:
        yield crew


@pytest.fixture(scope="module")
def storm(stack: Stack, chains: list[LocalChain], crew: Crew) -> Iterator[Storm]:
    info = stack.info
    info["chains"][0]["depositor_key"] = "0x" + bytes(depositor().key).hex()  # the town's own customer is idle here
    town = PatientTown(info)
    yield Storm(town, info["stripe"], chains, crew)
    town.close()


@pytest.fixture(scope="module")
def played(storm: Storm, cases: list[Case]) -> dict[Case, Played]:
    """Play every chosen case, all at the same time; each test then looks at its own."""
    return {it.case: it for it in storm.play(cases)}
