"""A site that has no admin."""

from django.urls import include, path

urlpatterns = [path("api/auth/", include("jwt_revoke.urls"))]
