# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A contract that can pay and cannot be paid: whatever is sent to it comes back.
"""


@deploy
@payable
def __init__():
    pass


@external
@payable
def execute(to: address, amount: uint256, data: Bytes[1024]):
    raw_call(to, data, value=amount)
