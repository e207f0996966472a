"""The signals we send.

``revoked``
    After the commit of a revocation. Arguments: ``scope``, ``subject`` (the id, or ``""`` for a
    bulk call and for everyone), ``effect``, ``reason``, ``actor`` (primary key as text, or
    ``""``), ``batch`` (UUID or ``None``), ``count`` (log rows). One signal a call.
``signed_in``
    A session was opened. Arguments: ``user``, ``session`` (the row), ``request`` (or ``None``).
``refresh_repeated``
    The previous refresh token came back within the grace: two tabs, or a lost answer.
    Arguments: ``user``, ``session_id``.
``refresh_reused``
    A refresh token that had been used was replayed; its session is ended.
    Arguments: ``user``, ``session_id``.

Receivers run after the commit; what they raise is logged and reaches nobody.
"""

from django.dispatch import Signal

revoked = Signal()
signed_in = Signal()
refresh_repeated = Signal()
refresh_reused = Signal()
