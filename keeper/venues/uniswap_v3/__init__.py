"""UNISWAP V3: concentrated liquidity, ticks walked exactly as the contract walks them."""
