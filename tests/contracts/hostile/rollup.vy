# pragma version 0.4.3
"""
@title What an OP-stack chain's predeployed contracts and Arbitrum's say of the price of bytes
@notice A stand-in for tests: the same functions, with numbers of our own.
"""

basefee: public(constant(uint256)) = 7_000_000_000
blobBaseFee: public(constant(uint256)) = 3_000_000
baseFeeScalar: public(constant(uint32)) = 2_269
blobBaseFeeScalar: public(constant(uint32)) = 1_055_762
operatorFeeScalar: public(constant(uint32)) = 11
operatorFeeConstant: public(constant(uint64)) = 13
isFjord: public(constant(bool)) = True
isJovian: public(constant(bool)) = False
getL1BaseFeeEstimate: public(constant(uint256)) = 5_000_000_000
