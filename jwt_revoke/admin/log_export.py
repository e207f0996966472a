"""The log as a file, streamed a page at a time: never held whole, and no cursor left open."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import Error
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..database import describe
from ..models import Revocation
from .readonly import PAGE

logger: Final = logging.getLogger("jwt_revoke")

FIELDS: Final = (
    *("uid", "created_at", "scope", "subject", "effect", "version", "reason", "actor", "note"),
    *("batch", "sequence", "expires_at"),
)
_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes a cell for a formula by, full-width too (OWASP, "CSV Injection")."""
_LINE_ENDS: Final = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""They end a line for some readers, and stand unescaped in JSON."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How entries are written; ``broken_off`` writes a sentence that no entry could be."""

    name: str
    label: str | Promise
    content_type: str
    start: str
    entries: Callable[[Iterable[Row]], str]
    broken_off: Callable[[str], str]


def exported(
    request: HttpRequest, entries: QuerySet[Revocation], file_format: FileFormat
) -> StreamingHttpResponse:
    """``entries`` as a download, the newest first."""
    chunks = _chunks(
        entries, file_format, gettext("The database did not answer: entries are missing.")
    )
    # A server reads the whole of an iterator that is of the other kind before it sends anything.
    is_async = isinstance(request, ASGIRequest)
    name = f"revocations-{timezone.now():%Y-%m-%d}.{file_format.name}"
    return StreamingHttpResponse(
        _asynchronously(chunks) if is_async else chunks,
        content_type=file_format.content_type,
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _chunks(
    entries: QuerySet[Revocation], file_format: FileFormat, broken_off: str
) -> Iterator[str]:
    """By key: no page grows dearer than the first, and what is revoked meanwhile shifts none."""
    rows = entries.order_by("-pk").values_list("pk", *FIELDS)
    if file_format.start:
        yield file_format.start
    try:
        page = list(rows[:PAGE])
        while page:
            yield file_format.entries(row[1:] for row in page)
            page = list(rows.filter(pk__lt=page[-1][0])[:PAGE]) if len(page) == PAGE else []
    except Error as error:
        logger.error("An export of revocations broke off: %s", describe(error))  # noqa: TRY400  (a driver's traceback quotes parameters)
        # Said in the file, because a server that sends no chunks ends it as if it were whole;
        # and raised, because any other then breaks the download off.
        yield file_format.broken_off(broken_off)
        raise


async def _asynchronously(chunks: Iterator[str]) -> AsyncIterator[str]:
    step = sync_to_async(partial(next, chunks, None))
    while (chunk := await step()) is not None:
        yield chunk


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    page = io.StringIO()
    csv.writer(page).writerows([_cell(_text(value)) for value in row] for row in rows)
    return page.getvalue()


def _cell(value: Any) -> Any:
    """A note is anybody's text: a spreadsheet must not calculate it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _json(rows: Iterable[Row]) -> str:
    return "".join(_json_line(zip(FIELDS, map(_text, row), strict=True)) for row in rows)


def _json_line(items: Iterable[tuple[str, Any]]) -> str:
    return json.dumps(dict(items), ensure_ascii=False).translate(_LINE_ENDS) + "\n"


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = timezone.make_aware(value) if timezone.is_naive(value) else value
        moment = aware.astimezone(UTC).isoformat(timespec="microseconds")
        return moment.replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID) else value


FORMATS: Final[Mapping[str, FileFormat]] = {
    file_format.name: file_format
    for file_format in (
        FileFormat(
            name="csv",
            label=_("Export CSV"),
            content_type="text/csv; charset=utf-8",
            # Excel reads a file without the mark in the code page of its country.
            start="\ufeff" + _csv([FIELDS]),
            entries=_csv,
            broken_off=lambda sentence: _csv([[sentence]]),
        ),
        FileFormat(
            name="jsonl",
            label=_("Export JSON lines"),
            content_type="application/jsonl; charset=utf-8",
            start="",
            entries=_json,
            broken_off=lambda sentence: _json_line([("incomplete", sentence)]),
        ),
    )
}
