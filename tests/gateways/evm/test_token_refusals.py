"""What looks like a deposit of a token and is none, and what a token has against being paid now."""

import pytest

from devstack.chain import deposit_address, wallet
from devstack.contracts.contract import deploy
from domain.errors import NeedsOperator
from domain.payments import Settlement
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import LocalChain, chain_settings, reference
from tests.gateways.evm.shop import AMOUNT, OWNER, Shop


class TestNotADeposit:
    """What looks like a payment in a token and is none."""

    def test_a_token_that_is_not_listed_is_refused_and_shown_as_a_fake(self, usdt: Shop, local: LocalChain) -> None:
        usdt.settings = usdt.settings.model_copy(
            update={"tokens": (usdt.settings.tokens[0].model_copy(update={"symbol": "USDT"}),)}
        )
        fake = deploy(local.call, "FakeToken", sender=OWNER)
        tx_hash = fake.send("announce", local.fresh_account(3), deposit_address(), AMOUNT, sender=OWNER)

        payment = usdt.read(tx_hash, asset=fake.address)

        assert payment.evidence is not None
        assert (payment.refuse, payment.sender) == (("token_not_listed",), None)
        assert payment.evidence.imitates == "USDT"

    def test_a_fake_log_beside_is_no_payment_in_the_listed_token(self, usdt: Shop, local: LocalChain) -> None:
        fake = deploy(local.call, "FakeToken", sender=OWNER)
        tx_hash = fake.send("announce", OWNER, deposit_address(), AMOUNT, sender=OWNER)

        payment = usdt.read(tx_hash)

        assert (payment.refuse, payment.sender) == (("wrong_recipient",), None)

    @pytest.mark.parametrize("function", ["announce_item", "announce_oddly"])
    def test_a_thing_is_no_amount_of_a_token(self, function: str, local: LocalChain, signer: KeystoreSigner) -> None:
        shop = Shop.__new__(Shop)
        fake = deploy(local.call, "FakeToken", sender=OWNER)
        listed = {"address": fake.address, "symbol": "THING", "decimals": 0, "min_amount_base_units": 1}
        shop.local, shop.signer, shop.token = local, signer, fake
        shop.settings = chain_settings(local.anvil.url, tokens=[listed])
        tx_hash = fake.send(function, OWNER, deposit_address(), AMOUNT, sender=OWNER)

        assert shop.read(tx_hash).refuse == ("wrong_recipient",)

    def test_a_mint_is_refused(self, usdc: Shop) -> None:
        tx_hash = usdc.token.send("mint", deposit_address(), AMOUNT, sender=OWNER)

        payment = usdc.read(tx_hash)

        assert (payment.refuse, payment.sender) == (("sender_is_nobody",), None)

    @pytest.mark.parametrize("ours", [deposit_address(), wallet().address], ids=["a deposit address", "the wallet"])
    def test_tokens_from_our_own_address_are_refused(self, ours: str, usdc: Shop) -> None:
        usdc.token.send("transfer", ours, AMOUNT, sender=OWNER)
        tx_hash = usdc.token.send("transfer", deposit_address(), AMOUNT, sender=ours)

        payment = usdc.read(tx_hash)

        assert (payment.refuse, payment.sender) == (("sender_is_ours",), None)

    @pytest.mark.parametrize(
        ("amount", "refuse"),
        [
            pytest.param(0, ("below_minimum",), id="nothing, as poison is sent"),
            pytest.param(999, ("below_minimum",), id="one less than the minimum"),
            pytest.param(1000, (), id="the minimum"),
        ],
    )
    def test_dust_is_refused(self, amount: int, refuse: tuple[str, ...], usdc: Shop) -> None:
        tx_hash = usdc.pay(amount=amount)

        assert usdc.read(tx_hash, amount=amount).refuse == refuse

    def test_tokens_sent_to_somebody_else_are_refused(self, usdc: Shop, local: LocalChain) -> None:
        tx_hash = usdc.pay(to=local.fresh_account(3))

        assert usdc.read(tx_hash).refuse == ("wrong_recipient",)

    def test_tokens_sent_to_the_wallet_are_for_a_person_to_judge(self, usdc: Shop) -> None:
        tx_hash = usdc.pay(to=wallet().address)

        payment = usdc.read(tx_hash)

        assert (payment.review, payment.refuse, payment.sender) == (("not_a_plain_transfer",), (), None)

    def test_a_token_that_answered_false_moved_nothing(self, local: LocalChain, signer: KeystoreSigner) -> None:
        shop = Shop(local, signer, "FalseReturning")
        shop.token.send("set_refuses", True, sender=OWNER)
        tx_hash = shop.pay()

        payment = shop.read(tx_hash)

        assert local.call("eth_getTransactionReceipt", tx_hash)["status"] == "0x1"
        assert payment.refuse == ("wrong_recipient",)

    def test_a_transfer_that_reverted_failed(self, usdc: Shop) -> None:
        tx_hash = usdc.pay(amount=100 * AMOUNT)

        assert usdc.read(tx_hash).settlement == Settlement.FAILED

    def test_tokens_are_pending_until_their_block_is_final(self, usdc: Shop) -> None:
        tx_hash = usdc.pay()

        named = reference(tx_hash, asset=usdc.token.address, amount_base_units=AMOUNT)
        payment = EvmChain(usdc.settings, usdc.signer).read_deposit(named)

        assert (payment.settlement, payment.sender) == (Settlement.PENDING, None)


class TestTheTokenItself:
    """What a token has against being paid now: nobody is paid while it lasts, and the sender stays known."""

    @pytest.mark.parametrize("name", ["UsdcLike", "UsdtLike"])
    @pytest.mark.parametrize(
        ("frozen", "code"),
        [
            pytest.param(OWNER, "sender_is_frozen", id="the sender"),
            pytest.param(wallet().address, "wallet_is_frozen", id="our wallet"),
        ],
    )
    def test_whom_it_froze_is_not_paid_and_pays_nobody(
        self, frozen: str, code: str, name: str, local: LocalChain, signer: KeystoreSigner
    ) -> None:
        shop = Shop(local, signer, name)
        tx_hash = shop.pay()
        shop.token.send("blacklist", frozen, True, sender=OWNER)

        during = shop.read(tx_hash)
        shop.token.send("blacklist", frozen, False, sender=OWNER)
        after = shop.read(tx_hash)

        assert (during.hold, during.sender, during.refuse) == ((code,), OWNER, ())
        assert after.hold == ()

    @pytest.mark.parametrize("name", ["UsdcLike", "UsdtLike"])
    def test_paused_it_pays_nobody(self, name: str, local: LocalChain, signer: KeystoreSigner) -> None:
        shop = Shop(local, signer, name)
        tx_hash = shop.pay()
        shop.token.send("pause", True, sender=OWNER)

        payment = shop.read(tx_hash)

        assert (payment.hold, payment.sender) == (("token_is_paused",), OWNER)

    def test_a_fee_that_was_switched_on_since_holds_the_refund(self, usdt: Shop) -> None:
        tx_hash = usdt.pay()
        usdt.token.send("set_fee", 100, sender=OWNER)

        payment = usdt.read(tx_hash)

        assert (payment.hold, payment.sender, payment.amount_base_units) == (("token_takes_a_fee",), OWNER, AMOUNT)

    @pytest.mark.parametrize(
        ("recorded", "amount"),
        [
            pytest.param(24_750_000, 24_750_000, id="the log's amount was credited"),
            pytest.param(25_000_000, None, id="what was sent was credited"),
        ],
    )
    def test_a_token_that_keeps_a_part_credited_what_its_log_shows(
        self, recorded: int, amount: int | None, local: LocalChain, signer: KeystoreSigner
    ) -> None:
        shop = Shop(local, signer, "FeeOnTransfer")
        tx_hash = shop.pay()

        payment = shop.read(tx_hash, amount=recorded)

        assert payment.evidence is not None
        assert (payment.hold, payment.amount_base_units) == (("token_takes_a_fee",), amount)
        assert (payment.evidence.received_base_units, payment.evidence.sent_base_units) == (24_750_000, 25_000_000)

    def test_without_code_at_its_address_nothing_is_paid(self, usdc: Shop, local: LocalChain) -> None:
        tx_hash = usdc.pay()
        local.finalize()
        local.set_code(usdc.token.address, "0x")

        payment = usdc.read(tx_hash)

        assert (payment.hold, payment.sender) == (("token_has_no_code",), None)

    def test_one_that_does_not_answer_the_question_of_the_settings_goes_to_an_operator(
        self, local: LocalChain, signer: KeystoreSigner
    ) -> None:
        shop = Shop(local, signer, "FalseReturning")
        wrong = shop.settings.tokens[0].model_copy(update={"blacklist": "isBlackListed"})
        shop.settings = shop.settings.model_copy(update={"tokens": (wrong,)})
        tx_hash = shop.pay()

        with pytest.raises(NeedsOperator, match="does not answer isBlackListed"):
            shop.read(tx_hash)
