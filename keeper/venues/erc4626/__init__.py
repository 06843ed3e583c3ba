"""ERC-4626: shares of a vault, redeemed for its asset."""
