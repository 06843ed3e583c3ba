"""PROTOCOLS. Law: pure; one folder a protocol: decode, maths, adapter; no protocol knows another."""
