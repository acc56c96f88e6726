"""Settings: read once, checked together, and every fault named in one message."""

from pathlib import Path

import pytest

from config import MissingSettingsError, Settings

NAMES = ("DATABASE_URL", "POLICY", "API_PORT", "STRIPE_SECRET_KEY", "CHAINS", "KEYSTORE", "KEYSTORE_PASSWORD_FILE")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"REFUNDS_{name}", raising=False)


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
