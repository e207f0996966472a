from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from example_project.accounts.demo import DEMO_USERS, put_back


class Command(BaseCommand):
    help = "Make the demo users, or put them back as they were made. Harmless when run again."

    def handle(self, *args: Any, verbosity: int = 1, **options: Any) -> None:
        for demo in DEMO_USERS:
            state = "set up" if put_back(demo) else "unchanged"
            if verbosity > 0:
                self.stdout.write(f"{demo.username}: {state}")
