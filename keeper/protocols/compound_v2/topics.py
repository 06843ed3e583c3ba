"""First topics of the logs that move health, liquidations or the list of sources.

Law: a topic is the keccak-256 of the signature in the comment above it; ``tests/unit/test_compound_v2_decode.py``
recomputes every one from that comment.
"""

from typing import Final

# event Transfer(address,address,uint256)
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
# event Borrow(address,uint256,uint256,uint256)
BORROW: Final = "0x13ed6866d4e1ee6da46f845c46d7e54120883d75c5ea9a2dacc1c4ca8984ab80"
# event RepayBorrow(address,address,uint256,uint256,uint256)
REPAY_BORROW: Final = "0x1a2a22cb034d26d1854bdc6666a5b91fe25efbbb5dcad3b0355478d6f5c362a1"
# event AccrueInterest(uint256,uint256,uint256,uint256)
ACCRUE_INTEREST: Final = "0x4dec04e750ca11537cabcd8a9eab06494de08da3735bc8871cd41250e190bc04"
# event AccrueInterest(uint256,uint256,uint256)
ACCRUE_INTEREST_OLD: Final = "0x875352fb3fadeb8c0be7cbbe8ff761b308fa7033470cd0287f02f3436fd76cb9"
# event LiquidateBorrow(address,address,uint256,address,uint256)
LIQUIDATE_BORROW: Final = "0x298637f684da70674f26509b10f07ec2fbc77a335ab1e7d6215a4b2484d8bb52"
# event Approval(address,address,uint256)
APPROVAL: Final = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
# event Failure(uint256,uint256,uint256)
FAILURE: Final = "0x45b96fe442630264581b197e84bbada861235052c5a1aadfff9ea4e40a969aa0"
# event MarketListed(address)
MARKET_LISTED: Final = "0xcf583bb0c569eb967f806b11601c4cb93c10310485c67add5f8362c2f212321f"
# event MarketEntered(address,address)
MARKET_ENTERED: Final = "0x3ab23ab0d51cccc0c3085aec51f99228625aa1a922b3a8ca89a26b0f2027a1a5"
# event MarketExited(address,address)
MARKET_EXITED: Final = "0xe699a64c18b07ac5b7301aa273f36a2287239eb9501d81950672794afba29a0d"
# event PoolSelected(address,uint96,uint96)
POOL_SELECTED: Final = "0x9181876220501cdac3aa7278fd34e9bd150c30a27b6ed95458fe859761b071f7"
# event IsForcedLiquidationEnabledForUserUpdated(address,address,bool)
FORCED_FOR_USER: Final = "0xc080966e9e93529edc1b244180c245bc60f3d86f1e690a17651a5e428746a8cd"
# event MintVAI(address,uint256)
MINT_VAI: Final = "0x002e68ab1600fc5e7290e2ceaa79e2f86b4dbaca84a48421e167e0b40409218a"
# event RepayVAI(address,address,uint256)
REPAY_VAI: Final = "0x1db858e6f7e1a0d5e92c10c6507d42b3dabfe0a4867fe90c5a14d9963662ef7e"
# event LiquidateVAI(address,address,uint256,address,uint256)
LIQUIDATE_VAI: Final = "0x42d401f96718a0c42e5cea8108973f0022677b7e2e5f4ee19851b2de7a0394e7"
# event LiquidationRestricted(address)
LIQUIDATION_RESTRICTED: Final = "0x614c47c82976e8f145409efb6366fe2cefa323f389ed9354649262e38dbb3589"
# event LiquidationRestrictionsDisabled(address)
RESTRICTIONS_DISABLED: Final = "0xe1f03de94d16c262d2f0e89a1c42ede8899d540ac992cf53495a5cf29c2896af"
# event LiquidateBorrowedTokens(address,address,uint256,address,address,uint256,uint256)
LIQUIDATE_BORROWED_TOKENS: Final = "0xdd091524d794aecdb5235b2d816620c2598790835e0f3849808504c2dcb4f1a9"
# event ProtocolLiquidationIncentiveTransferred(address,address,uint256)
INCENTIVE_TRANSFERRED: Final = "0xb68163184d017d69dff908f587b51f68dc2689426509efd546fbf77b518cc876"
# event MintFee(address,uint256)
MINT_FEE: Final = "0xb0715a6d41a37c1b0672c22c09a31a0642c1fb3f9efa2d5fd5c6d2d891ee78c6"
# event DelegateUpdated(address,address,bool)
DELEGATE_UPDATED: Final = "0xcb325b7784f78486e42849c7a50b8c5ee008d00cd90e108a58912c0fcb6288b4"
# event DistributedSupplierVenus(address,address,uint256,uint256)
DISTRIBUTED_SUPPLIER_VENUS: Final = "0xfa9d964d891991c113b49e3db1932abd6c67263d387119707aafdd6c4010a3a9"
# event DistributedBorrowerVenus(address,address,uint256,uint256)
DISTRIBUTED_BORROWER_VENUS: Final = "0x837bdc11fca9f17ce44167944475225a205279b17e88c791c3b1f66f354668fb"
# event DistributedSupplierComp(address,address,uint256,uint256)
DISTRIBUTED_SUPPLIER_COMP: Final = "0x2caecd17d02f56fa897705dcc740da2d237c373f70686f4e0d9bd3bf0400ea7a"
# event DistributedBorrowerComp(address,address,uint256,uint256)
DISTRIBUTED_BORROWER_COMP: Final = "0x1fc3ecc087d8d2d15e23d0032af5a47059c3892d003d8e139fdcb6bb327c99a6"
# event AnswerUpdated(int256,uint256,uint256)
ANSWER_UPDATED: Final = "0x0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f"

QUIET: Final = frozenset(  # nothing in the book hangs on these
    {
        APPROVAL,
        FAILURE,
        LIQUIDATE_BORROW,
        INCENTIVE_TRANSFERRED,
        MINT_FEE,
        DELEGATE_UPDATED,
        DISTRIBUTED_SUPPLIER_VENUS,
        DISTRIBUTED_BORROWER_VENUS,
        DISTRIBUTED_SUPPLIER_COMP,
        DISTRIBUTED_BORROWER_COMP,
    }
)
