"""Servers of the suite's own: private, on free ports, gone when the block is left.

And the programs that drive them from outside: a browser, Node.js.
"""

from tests.services.chromium import chromium
from tests.services.cluster import cluster
from tests.services.mariadb import mariadb
from tests.services.node import node
from tests.services.pgbouncer import pgbouncer
from tests.services.postgresql import postgresql
from tests.services.proxy import proxy
from tests.services.redis import redis
from tests.services.sentinel import sentinel
from tests.services.server import ServiceMissing

__all__ = [
    "ServiceMissing",
    "chromium",
    "cluster",
    "mariadb",
    "node",
    "pgbouncer",
    "postgresql",
    "proxy",
    "redis",
    "sentinel",
]
