"""CHAIN. Law: every byte to or from a node passes here; foreign errors are mapped once; only reads are retried."""

from keeper.chain.endpoint import Endpoint, Limits
from keeper.chain.heads import Heads
from keeper.chain.health import Rules
from keeper.chain.pool import Pool
from keeper.chain.retry import Patience
from keeper.chain.socket import Subscription

__all__ = ["Endpoint", "Heads", "Limits", "Patience", "Pool", "Rules", "Subscription"]
