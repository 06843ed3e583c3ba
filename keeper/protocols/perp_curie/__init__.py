"""PERPETUAL V2 (CURIE): margin, a mark price made of averages, funding, and liquidations that inherit the position."""
