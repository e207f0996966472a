"""A copy of the live revocations in each process, following the log (DESIGN §7)."""

from .backend import ReplicaBackend

__all__ = ["ReplicaBackend"]
