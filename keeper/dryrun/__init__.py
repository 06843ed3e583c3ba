"""The dry run: the daemon's own code path on a fork of the configured chain, with throwaway accounts.

Law: what runs here is what runs in earnest. Only the chain's address, the channel, the keys and the state file differ.
"""
