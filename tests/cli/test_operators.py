"""`refunds operators add` gives a fresh installation its first operator."""

from tests.cli.shell import Shell


def test_printed_token_opens_the_api_and_a_name_is_given_once(shell: Shell) -> None:
    added = shell.run("operators", "add", "first", "--role", "admin", "-o", "json")
    again = shell.run("operators", "add", "first", "--role", "viewer")

    assert added.status == 0, added.err
    assert (added.json["name"], added.json["role"]) == ("first", "admin")
    assert shell.run("list", REFUNDS_TOKEN=added.json["token"]).status == 0
    assert again.status == 1
    assert "field name, rule unique" in again.err


def test_token_stands_alone_on_stdout(shell: Shell) -> None:
    added = shell.run("operators", "add", "second", "--role", "viewer")

    assert added.status == 0
    assert added.out.startswith("rfd_")
    assert len(added.out.split()) == 1
    assert "only now" in added.err


def test_foreign_folder_gets_no_database_and_no_folder(fresh: Shell) -> None:
    fresh.environment.pop("REFUNDS_DATABASE_URL")
    added = fresh.run("operators", "add", "first", "--role", "admin")
    looked = fresh.run("doctor", "-o", "json")

    assert (added.status, added.out) == (2, "")
    assert "There is no database at sqlite:///.refunds/refunds.sqlite yet." in added.err
    assert "where the service runs" in added.err
    assert looked.status == 1
    assert list(fresh.folder.iterdir()) == []


def test_help_says_that_the_local_database_is_written(fresh: Shell) -> None:
    done = fresh.run("operators", "add", "--help", COLUMNS="200")

    assert "Writes straight into the database of REFUNDS_DATABASE_URL" in done.out


def test_database_without_a_schema_says_what_to_do(fresh: Shell) -> None:
    (fresh.folder / "ledger.sqlite").touch()

    done = fresh.run("operators", "add", "first", "--role", "admin")

    assert done.status == 2
    assert "refunds migrate" in done.err


def test_address_of_no_database_is_wrong_usage(fresh: Shell) -> None:
    done = fresh.run("operators", "add", "first", "--role", "admin", REFUNDS_DATABASE_URL="nonsense")

    assert done.status == 2
    assert "REFUNDS_DATABASE_URL" in done.err


def test_role_of_no_kind_is_wrong_usage(fresh: Shell) -> None:
    assert fresh.run("operators", "add", "first", "--role", "king").status == 2
