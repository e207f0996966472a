"""``path("api/auth/", include("jwt_revoke.urls"))``."""

from django.urls import path

from .rest import account_views, canary_view, token_views

app_name = "jwt_revoke"

urlpatterns = [
    path("token/", token_views.SignInView.as_view(), name="token"),
    path("token/refresh/", token_views.RefreshView.as_view(), name="token_refresh"),
    path("token/verify/", token_views.VerifyView.as_view(), name="token_verify"),
    path("token/blacklist/", token_views.BlacklistView.as_view(), name="token_blacklist"),
    path("logout/", token_views.LogoutView.as_view(), name="logout"),
    path("logout/all/", account_views.LogoutAllView.as_view(), name="logout_all"),
    path("sessions/", account_views.SessionListView.as_view(), name="sessions"),
    path("sessions/<str:session_id>/", account_views.SessionView.as_view(), name="session"),
    path("password/change/", account_views.PasswordChangeView.as_view(), name="password_change"),
    path("reauthenticate/", account_views.ReauthenticateView.as_view(), name="reauthenticate"),
    path("canary/", canary_view.CanaryView.as_view(), name="canary"),
    path("jwks.json", token_views.JWKSView.as_view(), name="jwks"),
]
