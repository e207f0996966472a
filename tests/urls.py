from django.contrib import admin
from django.urls import include, path

from tests import views

urlpatterns = [
    path("api/auth/", include("jwt_revoke.urls")),
    path("account/devices/", include("jwt_revoke.devices.urls")),
    path("api/ping/", views.PingView.as_view(), name="ping"),
    path("api/me/", views.MeView.as_view(), name="me"),
    path("api/staff/", views.StaffView.as_view(), name="staff"),
    path("admin/", admin.site.urls),
]
