# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that keeps one percent of each transfer: of 10,000 sent, 9,900 arrive and are logged.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

symbol: public(constant(String[8])) = "FEE"
decimals: public(constant(uint8)) = 18
balanceOf: public(HashMap[address, uint256])


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def transfer(receiver: address, amount: uint256) -> bool:
    fee: uint256 = amount // 100
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount - fee
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount - fee)
    log Transfer(sender=msg.sender, receiver=empty(address), amount=fee)
    return True
