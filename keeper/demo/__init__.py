"""The demonstration: a local world of real protocols, a price path with a crash, and the real keeper at work on it.

Law: what runs here is what runs in earnest. Only the chain, the relay and the keys are local.
"""
