"""``path("account/devices/", include("jwt_revoke.devices.urls"))``."""

from django.urls import path

from . import views

app_name = "jwt_revoke_devices"

# The templates build these addresses from that of the page: a site may include us under a
# namespace of its own, which a template could not know.
urlpatterns = [
    path("", views.PageView.as_view(), name="page"),
    path("log-out-others/", views.LogOutOthersView.as_view(), name="log_out_others"),
    path("log-out-everywhere/", views.LogOutEverywhereView.as_view(), name="log_out_everywhere"),
    path("<uuid:session_id>/rename/", views.RenameView.as_view(), name="rename"),
    path("<uuid:session_id>/end/", views.EndView.as_view(), name="end"),
]
