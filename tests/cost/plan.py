"""The names of what is counted, and how often each is called."""

from __future__ import annotations

UNIT = "yardstick"
"""What the instructions of the others are measured in."""
REFERENCE = "PyJWT, decode"
"""Shown and stored for comparison, and not judged: its changes are none of ours."""
PLAIN = "replica, seen"
CHECKED = ("stateless, seen", "database, seen", PLAIN, "replica, first sight")
SLOWED = "replica, slowed"
"""``PLAIN``, slowed on purpose: each run proves that the gate would have noticed."""

FEW, MANY = 20, 84
"""Calls of two goes: by their difference, what is counted around the calls drops out."""
WARM_UP = 256
CHECKS = 10_000
"""Calls after which the blocks kept are counted."""
