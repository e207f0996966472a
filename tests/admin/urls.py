"""Every admin site beside the ordinary one: /<name of the site>/."""

from django.urls import include, path

from tests.admin.sites import SITES

urlpatterns = [
    path("", include("tests.urls")),
    *[path(f"{name}/", site.urls) for name, site in SITES.items()],
]
