"""Bodies of the endpoints; simplejwt's names, so that its clients work unchanged."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import CharField, TextField
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..models import DeviceSession
from ..user_agents import MAX_NAME

MAX_PASSWORD: Final = 4096
MAX_USERNAME: Final = 255


class PasswordField(serializers.CharField):
    """A password: never shown, never trimmed, bounded."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **kwargs,
            write_only=True,
            trim_whitespace=False,
            max_length=MAX_PASSWORD,
            style={"input_type": "password"},
        )


class SecretsSerializer(serializers.Serializer[Any]):
    """A body that holds secrets: the browsable API's form does not show them again."""

    def get_initial(self) -> Any:
        """What a form starts with: after an attempt, nothing that is only written."""
        initial = super().get_initial()
        if not hasattr(self, "initial_data"):
            return initial
        return {name: value for name, value in initial.items() if not self.fields[name].write_only}


class SignInSerializer(SecretsSerializer):
    """The user model's username field, ``password``, and a name for the device."""

    password = PasswordField()
    device = serializers.CharField(required=False, allow_blank=True, max_length=MAX_NAME)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        username = serializers.CharField(max_length=MAX_USERNAME, write_only=True)
        return {get_user_model().USERNAME_FIELD: username, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A name that no column of numbers or UUIDs can hold is no name: 400, for anybody's."""
        name = get_user_model().USERNAME_FIELD
        field: Any = get_user_model()._meta.get_field(name)
        if not isinstance(field, CharField | TextField):
            try:
                field.clean(attrs[name], None)
            except ValidationError as error:
                raise serializers.ValidationError({name: error.messages}) from None
        return attrs


class RefreshSerializer(SecretsSerializer):
    """A refresh token."""

    refresh = serializers.CharField(write_only=True)


class LogoutSerializer(SecretsSerializer):
    """A refresh token, where the access token is not sent or has died."""

    refresh = serializers.CharField(required=False, allow_blank=True, write_only=True)


class VerifySerializer(SecretsSerializer):
    """An access token or a refresh token."""

    token = serializers.CharField(write_only=True)


class LogoutAllSerializer(serializers.Serializer[Any]):
    """Whether this device stays signed in."""

    keep_current = serializers.BooleanField(required=False, default=False)


class PasswordChangeSerializer(SecretsSerializer):
    """The old password and the new one; ``context["request"].user`` owns both."""

    old_password = PasswordField()
    new_password = PasswordField()

    def validate_old_password(self, value: str) -> str:
        return _right_password(self, value)

    def validate_new_password(self, value: str) -> str:
        try:
            validate_password(value, self.context["request"].user)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from None
        return value


class ReauthenticateSerializer(SecretsSerializer):
    """The password once more."""

    password = PasswordField()

    def validate_password(self, value: str) -> str:
        return _right_password(self, value)


class SessionSerializer(serializers.ModelSerializer[DeviceSession]):
    """One of the caller's sessions; only its name can be changed."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = DeviceSession
        fields = (
            *("id", "name", "user_agent", "ip_address"),
            *("created_at", "last_used_at", "expires_at", "current"),
        )
        read_only_fields = tuple(name for name in fields if name != "name")
        # The model's "blank" would make it optional, and a PATCH without it mean nothing.
        extra_kwargs = {"name": {"required": True}}

    def get_current(self, session: DeviceSession) -> bool:
        return bool(session.pk == self.context["request"].auth.sid)


def _right_password(serializer: serializers.Serializer[Any], value: str) -> str:
    """400, not 401: a client takes a 401 for a dead token and refreshes in a loop."""
    if not serializer.context["request"].user.check_password(value):
        raise serializers.ValidationError(_("The password is not right."))
    return value
