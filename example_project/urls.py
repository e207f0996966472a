"""The page, the devices page, the API, the admin, and jwt_revoke's own endpoints."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from example_project.web import api, views

urlpatterns = [
    path("", views.PageView.as_view(), name="page"),
    path("devices/", include("jwt_revoke.devices.urls")),
    path("login/", LoginView.as_view(template_name="web/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/auth/", include("jwt_revoke.urls")),
    path("api/ping/", api.PingView.as_view(), name="ping"),
    path("api/me/", api.MeView.as_view(), name="me"),
    path("api/staff/", api.StaffView.as_view(), name="staff"),
    path("api/critical/", api.CriticalView.as_view(), name="critical"),
    path("api/open/", api.OpenView.as_view(), name="open"),
]
