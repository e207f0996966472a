"""How long live workers take to refuse what was revoked (``manage.py jwt_revoke canary``).

Only what the workers themselves say is measured, over HTTP, as clients reach them.
"""

from .asking import CanaryFailed, Site
from .measuring import SLACK, Worker, is_late, measure, percentile

__all__ = ["SLACK", "CanaryFailed", "Site", "Worker", "is_late", "measure", "percentile"]
