"""Tokens that are none, as fast as they can be sent: they cost the database nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from jwt_revoke import verifier
from jwt_revoke.codec import RefreshClaims, encode_refresh
from jwt_revoke.keys import RefreshKeyRing
from jwt_revoke.keystore import current_keys, refresh_key_ring
from jwt_revoke.testing import Device
from tests import services
from tests.attacks.forging import forged, parts_of, signed
from tests.services.proxy import Proxy
from tests.starvation.conftest import Site
from tests.starvation.crowd import crowd, request
from tests.wire import AUTH

CLIENTS, EACH = 16, 12
GROWTH = 24 * 2**20
