"""Settings: read once, checked together, and every fault named in one message."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from config import MissingSettingsError, Settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REFUNDS_{name.upper()}", raising=False)


def test_a_worker_without_any_rail_names_everything_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFUNDS_POLICY", str(tmp_path / "none.toml"))

    with pytest.raises(MissingSettingsError) as missing:
        Settings.load().require_rails()

    assert "REFUNDS_STRIPE_SECRET_KEY" in str(missing.value)
    assert "REFUNDS_CHAINS" in str(missing.value)
    assert "REFUNDS_POLICY" in str(missing.value)


def test_a_crypto_rail_without_its_key_names_both_files_and_the_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFUNDS_CHAINS", str(tmp_path / "none.toml"))

    with pytest.raises(MissingSettingsError) as missing:
        Settings.load().require_rails()

    for name in ("REFUNDS_CHAINS", "REFUNDS_KEYSTORE", "REFUNDS_KEYSTORE_PASSWORD_FILE"):
        assert name in str(missing.value)


def test_a_card_rail_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUNDS_STRIPE_SECRET_KEY", "sk_test_x")
    monkeypatch.setenv("REFUNDS_POLICY", str(Path(__file__).parent.parent / "policy.toml"))

    Settings.load().require_rails()


def test_wrong_values_are_named_together_and_secrets_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUNDS_API_PORT", "many")
    monkeypatch.setenv("REFUNDS_STRIPE_SECRET_KEY", "sk_test_secret")

    with pytest.raises(MissingSettingsError) as wrong:
        Settings.load()

    assert "REFUNDS_API_PORT" in str(wrong.value)
    assert "sk_test_secret" not in str(wrong.value)


def test_a_policy_that_breaks_a_rule_is_named_with_its_field(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "policy.toml"
    broken.write_text('[[versions]]\nversion = "1"\nin_force_from = 2026-01-01T00:00:00Z\nwindow_days = 0\n')
    monkeypatch.setenv("REFUNDS_POLICY", str(broken))

    with pytest.raises(MissingSettingsError) as wrong:
        Settings.load().load_policy()

    assert "versions.0.window_days" in str(wrong.value)


@pytest.mark.parametrize(
    ("key", "mode"), [("sk_test_a", "test"), ("rk_test_a", "test"), ("sk_live_a", "live")], ids=str
)
def test_the_key_tells_which_of_the_processors_worlds_is_meant(
    monkeypatch: pytest.MonkeyPatch, key: str, mode: str
) -> None:
    monkeypatch.setenv("REFUNDS_STRIPE_SECRET_KEY", key)

    assert Settings.load().stripe_mode == mode


def test_secrets_may_come_in_files_and_are_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, secret in (("key", "sk_live_a\n"), ("hook", "whsec_a"), ("password", "p@ss/w:rd%\n")):
        (tmp_path / name).write_text(secret)
    monkeypatch.setenv("REFUNDS_STRIPE_SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("REFUNDS_STRIPE_WEBHOOK_SECRET_FILE", str(tmp_path / "hook"))
    monkeypatch.setenv("REFUNDS_DATABASE_URL", "postgresql+psycopg://refunds@db:5432/refunds?sslmode=require")
    monkeypatch.setenv("REFUNDS_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))

    settings = Settings.load()

    assert settings.stripe_mode == "live"
    assert settings.stripe_secret_key is not None
    assert settings.stripe_secret_key.get_secret_value() == "sk_live_a"
    assert settings.stripe_webhook_secret is not None
    assert settings.stripe_webhook_secret.get_secret_value() == "whsec_a"
    url = make_url(settings.database_url)
    assert (url.username, url.password, url.host, url.port) == ("refunds", "p@ss/w:rd%", "db", 5432)
    assert dict(url.query) == {"sslmode": "require"}
    assert not any(secret in repr(settings) for secret in ("sk_live_a", "whsec_a", "ss/w", "ss%2Fw"))


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"STRIPE_SECRET_KEY_FILE": "{}/none"}, "REFUNDS_STRIPE_SECRET_KEY: {}/none cannot be read"),
        ({"STRIPE_SECRET_KEY_FILE": "{}"}, "REFUNDS_STRIPE_SECRET_KEY: {} cannot be read (IsADirectoryError)"),
        ({"STRIPE_SECRET_KEY_FILE": "{}/empty"}, "{}/empty must hold exactly one line"),
        ({"STRIPE_WEBHOOK_SECRET_FILE": "{}/two"}, "REFUNDS_STRIPE_WEBHOOK_SECRET: {}/two must hold exactly one"),
        ({"STRIPE_SECRET_KEY": "sk_test_twice", "STRIPE_SECRET_KEY_FILE": "{}/one"}, "given twice"),
        ({"DATABASE_PASSWORD_FILE": "{}/one"}, "REFUNDS_DATABASE_URL: must name user and host"),
        (
            {"DATABASE_PASSWORD_FILE": "{}/one", "DATABASE_URL": "postgresql://a:twice@b/c"},
            "REFUNDS_DATABASE_URL: holds a password",
        ),
        (
            {"DATABASE_PASSWORD_FILE": "{}/none", "DATABASE_URL": "postgresql://a@b/c"},
            "REFUNDS_DATABASE_URL: {}/none",
        ),
    ],
    ids=[
        *("no file", "folder in its place", "empty file", "two lines", "key given twice"),
        *("nobody to whom it belongs", "password given twice", "no password file"),
    ],
)
def test_a_secret_that_cannot_be_read_from_its_file_is_named_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], named: str
) -> None:
    for name, content in (("empty", "\n"), ("one", "one"), ("two", "one\ntwo")):
        (tmp_path / name).write_text(content)
    for name, value in environment.items():
        monkeypatch.setenv(f"REFUNDS_{name}", value.format(tmp_path))
    monkeypatch.setenv("REFUNDS_API_PORT", "many")

    with pytest.raises(MissingSettingsError) as wrong:
        Settings.load()

    assert named.format(tmp_path) in str(wrong.value)
    assert "REFUNDS_API_PORT" in str(wrong.value)
    assert "twice@" not in str(wrong.value)
    assert "sk_test_twice" not in str(wrong.value)
    assert len(wrong.value.problems) == 2


def test_several_webhook_secrets_are_taken_while_one_replaces_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hook").write_text("whsec_old  whsec_new\n")
    monkeypatch.setenv("REFUNDS_STRIPE_WEBHOOK_SECRET_FILE", str(tmp_path / "hook"))
    from_file = Settings.load()
    monkeypatch.delenv("REFUNDS_STRIPE_WEBHOOK_SECRET_FILE")
    monkeypatch.setenv("REFUNDS_STRIPE_WEBHOOK_SECRET", "whsec_old, whsec_new,")

    settings = Settings.load()

    assert from_file.stripe_webhook_secrets == settings.stripe_webhook_secrets == ("whsec_old", "whsec_new")
    assert {"whsec_old", "whsec_new"} <= set(settings.secrets()), "each alone must not be logged"
    assert "whsec" not in repr(settings)


def test_a_webhook_secret_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUNDS_STRIPE_WEBHOOK_SECRET", " , ")

    with pytest.raises(MissingSettingsError, match="REFUNDS_STRIPE_WEBHOOK_SECRET: holds no secret"):
        Settings.load()


def test_a_mode_that_is_not_the_key_s_is_refused_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUNDS_STRIPE_SECRET_KEY", "sk_live_a")
    monkeypatch.setenv("REFUNDS_STRIPE_MODE", "test")

    with pytest.raises(MissingSettingsError, match="REFUNDS_STRIPE_MODE: is test, but") as wrong:
        Settings.load()

    assert "sk_live_a" not in str(wrong.value)


def test_who_takes_webhooks_must_say_of_which_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    Settings.load().require_hook()
    monkeypatch.setenv("REFUNDS_STRIPE_WEBHOOK_SECRET", "whsec_a")
    with pytest.raises(MissingSettingsError, match="REFUNDS_STRIPE_MODE"):
        Settings.load().require_hook()

    monkeypatch.setenv("REFUNDS_STRIPE_MODE", "live")

    Settings.load().require_hook()
