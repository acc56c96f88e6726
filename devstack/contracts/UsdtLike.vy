# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token like USDT: it answers nothing, may take a fee, may be paused, and lists only senders.
@notice A blacklisted receiver is paid all the same, and can never spend what came: the money is lost without an error.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256

name: public(constant(String[16])) = "Tether USD"
symbol: public(constant(String[8])) = "USDT"
decimals: public(constant(uint256)) = 6
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
isBlackListed: public(HashMap[address, bool])
paused: public(bool)
basisPointsRate: public(uint256)
owner: public(address)


@deploy
def __init__():
    self.owner = msg.sender


@external
def mint(receiver: address, amount: uint256):
    # As the real one's `issue`: no log names where the money came from.
    self.totalSupply += amount
    self.balanceOf[receiver] += amount


@external
def blacklist(account: address, is_listed: bool):
    self.isBlackListed[account] = is_listed


@external
def pause(is_paused: bool):
    self.paused = is_paused


@external
def set_fee(basis_points: uint256):
    self.basisPointsRate = basis_points


@external
def approve(spender: address, amount: uint256):
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)


@external
def transfer(receiver: address, amount: uint256):
    self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256):
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert not self.paused
    assert not self.isBlackListed[sender]
    fee: uint256 = amount * self.basisPointsRate // 10_000
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - fee
    log Transfer(sender=sender, receiver=receiver, amount=amount - fee)
    if fee > 0:
        self.balanceOf[self.owner] += fee
        log Transfer(sender=sender, receiver=self.owner, amount=fee)
