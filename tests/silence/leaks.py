"""A secret shown in each way there is, for ``test_plugin``: no part of the suite by its name."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import prometheus_client
import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from jwt_revoke import codec, keys, minting

LOG = logging.getLogger("jwt_revoke")
# Of which no line that a report quotes has the whole.
PASSPHRASE = " ".join(["a", "passphrase", "of this run"])


def refresh() -> str:
    key = keys.RefreshKey.from_secret(b"a refresh key of this run and of no other")
    return minting.encode_refresh(codec.RefreshClaims(uuid4(), 3), keys.RefreshKeyRing((key,)))


def access() -> str:
    ring = keys.KeyRing((keys.load_key("HS256", "an access key of this run and of no other"),))
    return codec.encode_access({"sub": "1", "sid": str(uuid4())}, ring)


def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<p>{refresh()[-24:]}</p>")


def redirect(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": f"/?refresh={refresh()}"})


def broken(_request: HttpRequest) -> HttpResponse:
    held = refresh()
    raise RuntimeError(len(held))


def breaks(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError


def plain(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


urlpatterns = [path(f"{view.__name__}/", view) for view in (page, redirect, broken, breaks, plain)]


def ask(address: str, **form: str) -> None:
    client = Client(raise_request_exception=False)
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        client.post(f"/{address}", form) if form else client.get(f"/{address}")


def test_a_log_message() -> None:
    LOG.info(f"refused {refresh()}")  # noqa: G004  (what is done wrong here)


def test_log_arguments_that_are_not_shown() -> None:
    LOG.debug("refused %.10s", access())


def test_what_is_attached_to_a_record() -> None:
    LOG.debug("refused", extra={"token": access()})


def test_a_logged_traceback() -> None:
    try:
        raise ValueError(access().rpartition(".")[2])
    except ValueError:
        LOG.exception("refused")


def test_the_middle_of_a_token() -> None:
    LOG.info("refused …%s…", refresh()[20:45])


def test_what_was_no_secret_yet() -> None:
    LOG.info("tried with %s", "a passphrase of later")
    check_password("a passphrase of later", make_password(PASSPHRASE))


def test_a_password_hash() -> None:
    LOG.info("it was %s", make_password(PASSPHRASE))


def test_a_key() -> None:
    refresh()
    LOG.info("signed with %r", b"a refresh key of this run and of no other")


def test_a_url() -> None:
    ask(f"plain/?token={refresh()}")


def test_a_redirect() -> None:
    ask("redirect/")


def test_a_page() -> None:
    ask("page/")


def test_locals_of_a_view() -> None:
    ask("broken/")


def test_a_form_under_debug() -> None:
    """Django's own page of a site's own view: ours hide theirs."""
    ask("breaks/", new_password=PASSPHRASE)


def test_output_of_a_command() -> None:
    OutputWrapper(io.StringIO()).write(refresh())


def test_what_is_printed() -> None:
    print(refresh(), file=sys.stderr)


def test_what_is_printed_and_read(capsys: pytest.CaptureFixture[str]) -> None:
    print(refresh())
    capsys.readouterr()


def test_a_process() -> None:
    command = [sys.executable, "-c", "print(input())"]
    subprocess.run(command, input=refresh(), capture_output=True, text=True, check=True)


def test_the_log_file_of_a_process(tmp_path: Path) -> None:
    with (tmp_path / "site.log").open("wb") as log:
        command = [sys.executable, "-c", "import sys; sys.stderr.write(sys.stdin.read())"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        process.communicate(refresh().encode())


def test_a_row(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE leaks (text varchar(200))")
        cursor.execute("INSERT INTO leaks VALUES (%s)", [refresh()])


def test_a_warning() -> None:
    warnings.warn(refresh(), stacklevel=1)


@pytest.mark.leaks("nothing, in truth", "log record")
def test_a_mark_for_nothing() -> None:
    pass


@pytest.fixture
def leaking() -> Iterator[None]:
    yield
    LOG.info("ended %s", refresh())


def test_the_end_of_a_fixture(leaking: Any) -> None:
    pass


def test_a_label() -> None:
    prometheus_client.Counter("leaks", "Of tokens.", ["token"]).labels(refresh()).inc()


@pytest.mark.leaks("a record with a token", "log record")
def test_what_is_marked() -> None:
    LOG.info("refused %s", refresh())


@pytest.mark.leaks("a record with a token", "log record")
def test_elsewhere_than_marked() -> None:
    LOG.info("refused %s", refresh())
    ask(f"plain/?token={refresh()}")


def test_silence(db: None) -> None:
    """Tokens, passwords and their hashes where they belong."""
    LOG.info("refused %s", uuid4())
    ask("plain/", token=refresh(), password=PASSPHRASE)
    make_password(PASSPHRASE)
    call_command("dumpdata", stdout=io.StringIO())
