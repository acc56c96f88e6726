# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Pays many receivers in one chain transaction, as exchanges and payroll tools do; it is never the payer itself.
"""

interface Token:
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

MANY: constant(uint256) = 16


@external
@payable
def disperse(receivers: DynArray[address, MANY], values: DynArray[uint256, MANY]):
    for i: uint256 in range(len(receivers), bound=MANY):
        raw_call(receivers[i], b"", value=values[i])


@external
def disperse_token(token: address, receivers: DynArray[address, MANY], values: DynArray[uint256, MANY]):
    for i: uint256 in range(len(receivers), bound=MANY):
        assert extcall Token(token).transferFrom(msg.sender, receivers[i], values[i], default_return_value=True)


@external
@payable
def try_disperse(receivers: DynArray[address, MANY], values: DynArray[uint256, MANY]):
    # Pays whoever takes the money and keeps the rest, so that single payments fail inside a success.
    for i: uint256 in range(len(receivers), bound=MANY):
        paid: bool = raw_call(receivers[i], b"", value=values[i], revert_on_failure=False)
