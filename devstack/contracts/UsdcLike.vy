# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token like USDC: it answers true, and reverts while paused or where either side is blacklisted.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256

name: public(constant(String[16])) = "USD Coin"
symbol: public(constant(String[8])) = "USDC"
decimals: public(constant(uint8)) = 6
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
isBlacklisted: public(HashMap[address, bool])
paused: public(bool)


@external
def mint(receiver: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, amount=amount)


@external
def blacklist(account: address, is_listed: bool):
    self.isBlacklisted[account] = is_listed


@external
def pause(is_paused: bool):
    self.paused = is_paused


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    assert not self.isBlacklisted[msg.sender], "Blacklistable: account is blacklisted"
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert not self.paused, "Pausable: paused"
    assert not self.isBlacklisted[sender], "Blacklistable: account is blacklisted"
    assert not self.isBlacklisted[receiver], "Blacklistable: account is blacklisted"
    assert receiver != empty(address), "ERC20: transfer to the zero address"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, amount=amount)
