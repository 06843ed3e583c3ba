"""UNISWAP V2 and its forks: constant product, the fee taken from what comes in."""
