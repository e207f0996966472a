"""What runs in a ``Neighbour``: python -m tests.strategies.worker, driven by lines of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import django


def main() -> None:
    django.setup()
    from django.test.utils import override_settings

    with override_settings(**json.loads(sys.stdin.readline())):
        serve()


def serve() -> None:
    from rest_framework.test import APIClient

    from jwt_revoke import codec
    from jwt_revoke.backends.base import get_backend
    from tests.backends.replica.following import until_ready

    verified, read_payload = [], codec.read_payload

    def counting(raw: str, key: Any) -> Any:
        verified.append(raw)
        return read_payload(raw, key)

    codec.read_payload = counting
    backend: Any = get_backend()
    until_ready(backend)
    say("ready")
    for line in sys.stdin:
        token = json.loads(line)
        answer = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/ping/")
        reason = answer.data["messages"][0]["reason"] if answer.status_code == 401 else "live"
        say({"standing": reason, "verified": len(verified), "fallbacks": backend.fallbacks})


def say(what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
