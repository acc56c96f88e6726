# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A contract that lets whoever pays it burn gas, far above what a refund may cost.
"""

WRITES: constant(uint256) = 40

kept: HashMap[uint256, uint256]


@deploy
@payable
def __init__():
    pass


@external
@payable
def __default__():
    for i: uint256 in range(WRITES):
        self.kept[i] = block.number


@external
@payable
def execute(to: address, amount: uint256, data: Bytes[1024]):
    raw_call(to, data, value=amount)
