# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that answers false instead of reverting: the chain transaction succeeds and nothing moved.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

symbol: public(constant(String[8])) = "FALSE"
decimals: public(constant(uint8)) = 18
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
refuses: public(bool)


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def set_refuses(refuses: bool):
    self.refuses = refuses


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._moved(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    if self.allowance[sender][msg.sender] < amount:
        return False
    moved: bool = self._moved(sender, receiver, amount)
    if moved:
        self.allowance[sender][msg.sender] -= amount
    return moved


@internal
def _moved(sender: address, receiver: address, amount: uint256) -> bool:
    if self.refuses or self.balanceOf[sender] < amount:
        return False
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, amount=amount)
    return True
