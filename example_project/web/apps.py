from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "example_project.web"
    label = "web"
