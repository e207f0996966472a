"""The example project's URLs, and grappelli's own look-ups."""

from __future__ import annotations

from django.urls import include, path

from example_project.urls import urlpatterns as example

urlpatterns = [path("grappelli/", include("grappelli.urls")), *example]
