"""First topics of the logs that move urns, auctions or the terms of a Maker market.

Law: a topic is the keccak-256 of the signature in the comment above it; ``tests/unit/test_maker_decode.py`` recomputes
every one. Old contracts log anonymously: the first topic of a *note* is a function's selector with zeros behind it.
"""

from typing import Final

# event Kick(uint256,uint256,uint256,uint256,address,address,uint256)
KICK: Final = "0x7c5bfdc0a5e8192f6cd4972f382cec69116862fb62e6abff8003874c58e064b8"
# event Take(uint256,uint256,uint256,uint256,uint256,uint256,address)
TAKE: Final = "0x05e309fd6ce72f2ab888a20056bb4210df08daed86f21f95053deb19964d86b1"
# event Redo(uint256,uint256,uint256,uint256,address,address,uint256)
REDO: Final = "0x275de7ecdd375b5e8049319f8b350686131c219dd4dc450a08e9cf83b03c865f"
# event Yank(uint256)
YANK: Final = "0x2c5d2826eb5903b8fc201cf48094b858f42f61c7eaac9aaf43ebed490138144e"
# event Bark(bytes32,address,uint256,uint256,uint256,address,uint256)
BARK: Final = "0x85258d09e1e4ef299ff3fc11e74af99563f022d21f3f940db982229dc2a3358c"
# event Digs(bytes32,uint256)
DIGS: Final = "0x54f095dc7308776bf01e8580e4dd40fd959ea4bf50b069975768320ef8d77d8a"
# event File(bytes32,bytes32,uint256)
FILE_ILK: Final = "0x851aa1caf4888170ad8875449d18f0f512fd6deb2a6571ea1a41fb9f95acbcd1"
# event File(bytes32,bytes32,address)
FILE_CLIP: Final = "0x4ff2caaa972a7c6629ea01fae9c93d73cc307d13ea4c369f9bbbb7f9b7e9461d"
# note init(bytes32)
INIT: Final = "0x3b66319500000000000000000000000000000000000000000000000000000000"
# note frob(bytes32,address,address,address,int256,int256)
FROB: Final = "0x7608870300000000000000000000000000000000000000000000000000000000"
# note fork(bytes32,address,address,int256,int256)
FORK: Final = "0x870c616d00000000000000000000000000000000000000000000000000000000"
# note grab(bytes32,address,address,address,int256,int256)
GRAB: Final = "0x7bab3f4000000000000000000000000000000000000000000000000000000000"
# note fold(bytes32,address,int256)
FOLD: Final = "0xb65337df00000000000000000000000000000000000000000000000000000000"
# note drip(bytes32)
DRIP: Final = "0x44e2a5a800000000000000000000000000000000000000000000000000000000"
# note file(bytes32,bytes32,uint256)
NOTED_FILE: Final = "0x1a0b287e00000000000000000000000000000000000000000000000000000000"
# note file(bytes32,bytes32,address)
NOTED_FILE_ADDRESS: Final = "0xebecb39d00000000000000000000000000000000000000000000000000000000"
# note move(address,address,uint256)
MOVE: Final = "0xbb35783b00000000000000000000000000000000000000000000000000000000"
