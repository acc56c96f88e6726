# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A wallet that is a contract, like a Safe: it logs what it receives, which takes more than a plain transfer's gas.
"""

event Received:
    sender: indexed(address)
    amount: uint256

owner: public(address)


@deploy
@payable
def __init__():
    self.owner = msg.sender


@external
@payable
def __default__():
    log Received(sender=msg.sender, amount=msg.value)


@external
@payable
def execute(to: address, amount: uint256, data: Bytes[1024]):
    assert msg.sender == self.owner
    raw_call(to, data, value=amount)


@external
@payable
def execute_all(receivers: DynArray[address, 8], amounts: DynArray[uint256, 8], calls: DynArray[Bytes[1024], 8]):
    assert msg.sender == self.owner
    for i: uint256 in range(len(receivers), bound=8):
        raw_call(receivers[i], calls[i], value=amounts[i])


@external
def execute_and_undo(to: address, amount: uint256):
    # The payment inside is undone, and the outer call succeeds all the same.
    assert msg.sender == self.owner
    tried: bool = raw_call(
        self, abi_encode(to, amount, method_id=method_id("pay_and_revert(address,uint256)")), revert_on_failure=False
    )


@external
def pay_and_revert(to: address, amount: uint256):
    raw_call(to, b"", value=amount)
    raise "undone"
