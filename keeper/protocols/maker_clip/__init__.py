"""Maker and Sky, Liquidations 2.0: urns that are barked at, and Dutch auctions that are taken from or reset."""
