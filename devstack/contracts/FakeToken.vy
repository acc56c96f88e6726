# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A contract that logs transfers which never happened, of anybody's money, under a name that is not its own.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

symbol: public(constant(String[8])) = "USDT"
decimals: public(constant(uint8)) = 6


@external
def announce(sender: address, receiver: address, amount: uint256):
    log Transfer(sender=sender, receiver=receiver, amount=amount)


@external
def announce_item(sender: address, receiver: address, item: uint256):
    # Four topics and no data, as ERC-721 logs a transfer of one thing.
    raw_log(
        [
            keccak256("Transfer(address,address,uint256)"),
            convert(sender, bytes32),
            convert(receiver, bytes32),
            convert(item, bytes32),
        ],
        b"",
    )


@external
def announce_oddly(sender: address, receiver: address, amount: uint256):
    # Four topics and an amount: no standard writes this, and one that counts topics loosely takes it for money.
    raw_log(
        [
            keccak256("Transfer(address,address,uint256)"),
            convert(sender, bytes32),
            convert(receiver, bytes32),
            convert(amount, bytes32),
        ],
        convert(amount, bytes32),
    )


@external
def transfer(receiver: address, amount: uint256) -> bool:
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True
