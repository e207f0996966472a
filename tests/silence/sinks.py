"""Where a secret could be seen: all of it is heard, and nobody else hears anything else for it."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import wraps
from pathlib import Path
from threading import local
from typing import Any, NamedTuple

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.management.base import BaseCommand, OutputWrapper
from django.core.signals import got_request_exception
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_save
from django.http import FileResponse
from django.views.debug import ExceptionReporter

from . import known

AT_REST = frozenset({known.HASH, known.FINGERPRINT, known.STORED_KEY, known.SESSION_KEY})
"""What a row may hold: Django's own hash, ours of that, an encrypted key, a session's name."""
ANSWERED = frozenset({known.ACCESS, known.REFRESH})
"""What our views answer a POST with."""
# Hundreds of records a page, of what a template does not have, each with the whole context; and
# Django's SQL, which has a sink of its own. Heard as far as somebody else hears them.
_NOT_ALL_OF = ("django.template", "django.db.backends")
_WRITES = ("INSERT", "UPDATE", "WITH", "REPLACE")
_MANY = 2000
"""Parameters of one statement that are looked at: a bulk of 100,000 rows says one thing often."""


class Heard(NamedTuple):
    where: str
    text: str
    allowed: Collection[str] = ()


class Sinks:
    """What was heard and not looked at yet, and how much it was in all."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.streamed: list[tuple[str, bytes]] = []
        self.counts: Counter[str] = Counter()
        self.files: dict[Path, int] = {}
        self._command = local()

    def hear(self, kind: str, text: Any, where: str = "", allowed: Collection[str] = ()) -> None:
        if text:
            if isinstance(text, bytes):
                text = text.decode(errors="replace")
            self.counts[kind] += 1
            self.heard.append(Heard(f"{kind} {where}".rstrip(), text, allowed))

    def listen(self) -> None:
        self._to_logs()
        self._to_error_reports()
        self._to_answers()
        self._to_statements()
        self._to_commands()
        self._to_processes()

    def _to_logs(self) -> None:
        """Each record of each level, as a formatter, a JSON formatter or a tracker would show it;
        and on to the handlers goes what would have gone there."""
        is_enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle

        def enabled_for_us(logger: logging.Logger, level: int) -> bool:
            return not logger.name.startswith(_NOT_ALL_OF) or is_enabled(logger, level)

        def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
            self.hear("log record", as_logged(record), record.name, _allowed_in(record))
            if is_enabled(logger, record.levelno):
                handle(logger, record)

        logging.Logger.isEnabledFor = enabled_for_us  # type: ignore[method-assign]  # for good
        logging.Logger.handle = heard  # type: ignore[method-assign]  # for good

    def _to_error_reports(self) -> None:
        """Whatever Django reports, and of each error that reaches its handler both reports."""
        for name in ("get_traceback_html", "get_traceback_text"):
            _after(
                ExceptionReporter,
                name,
                lambda report, reporter, *_: self.hear(
                    "error report", report, getattr(reporter.exc_type, "__name__", "")
                ),
            )

        def report(request: Any = None, **_: Any) -> None:
            debug = settings.DEBUG
            try:
                for settings.DEBUG in (False, True):
                    ExceptionReporter(request, *sys.exc_info()).get_traceback_html()
            finally:
                settings.DEBUG = debug

        got_request_exception.connect(report, weak=False)

    def _to_answers(self) -> None:
        _after(
            BaseHandler, "get_response", lambda answer, _, request: self._answer(request, answer)
        )
        real = BaseHandler.get_response_async

        @wraps(real)
        async def get_response_async(handler: Any, request: Any) -> Any:
            answer = await real(handler, request)
            self._answer(request, answer)
            return answer

        BaseHandler.get_response_async = get_response_async

    def _answer(self, request: Any, answer: Any) -> None:
        where = f"{request.method} {type(answer).__name__} {answer.status_code}"
        self.hear("URL", request.get_full_path(), where)
        headers = "\n".join(v for name, v in answer.items() if name != "Content-Type")
        self.hear("header", headers, where)
        kind = answer.get("Content-Type", "")
        gives_tokens = answer.status_code == 200 and request.method == "POST" and "json" in kind
        allowed = ANSWERED if gives_tokens else ()
        if not answer.streaming:
            self.hear("page", answer.content, where, allowed)
        elif not answer.is_async and not isinstance(answer, FileResponse):
            answer.streaming_content = self._as_it_flows(answer.streaming_content, where)

    def _as_it_flows(self, chunks: Any, where: str) -> Iterator[bytes]:
        for chunk in chunks:
            # Little, and by little: a test measures what an export takes.
            small = zlib.compressobj(1, zlib.DEFLATED, wbits=12, memLevel=4)
            self.streamed.append((where, small.compress(chunk) + small.flush()))
            yield chunk

    def _to_statements(self) -> None:
        """What is written is what a dump shows: also of a row that is rolled back or deleted."""

        def written(_cursor: Any, sql: Any, params: Any, *_: Any) -> None:
            if params and isinstance(sql, str) and sql.startswith(_WRITES):
                rows = params[:_MANY] if isinstance(params, list | tuple) else params.values()
                texts = [str(row) for row in rows if isinstance(row, str | bytes | list | tuple)]
                self.hear("row", "\n".join(texts), sql[:40], AT_REST)

        _before(CursorWrapper, "_execute", written)
        _before(CursorWrapper, "_executemany", written)

        def shown(sender: Any, instance: Any, **_: Any) -> None:
            if sender._meta.app_label == "jwt_revoke":
                self.hear("repr", f"{instance!r} {instance}", sender.__name__)

        post_save.connect(shown, weak=False)

    def _to_commands(self) -> None:
        real = BaseCommand.execute

        @wraps(real)
        def execute(command: Any, *args: Any, **options: Any) -> Any:
            outer = getattr(self._command, "name", "")
            self._command.name = type(command).__module__.rpartition(".")[2]
            try:
                return real(command, *args, **options)
            finally:
                self._command.name = outer

        BaseCommand.execute = execute

        def said(_stream: Any, message: Any = "", *_: Any, **__: Any) -> None:
            name = getattr(self._command, "name", "")
            self.hear("output", str(message), name, AT_REST if name == "dumpdata" else ())

        _before(OutputWrapper, "write", said)

    def _to_processes(self) -> None:
        """The files that processes of their own write to are read when a test ends."""

        def started(_process: Any, *_args: Any, **options: Any) -> None:
            for stream in (options.get("stdout"), options.get("stderr")):
                name = getattr(stream, "name", None)
                if isinstance(name, str) and Path(name).is_file():
                    self.files.setdefault(Path(name), 0)

        def answered(output: Any, *_args: Any, **_options: Any) -> None:
            for text in output:
                self.hear("output", text, "of a process")

        _before(subprocess.Popen, "__init__", started)
        _after(subprocess.Popen, "communicate", answered)

    def add_files(self, folder: Path) -> None:
        """Of workers that open theirs themselves."""
        for path in folder.rglob("*.log"):
            self.files.setdefault(path, 0)

    def read_on(self) -> None:
        """What was sent piece by piece, and what is new in the files."""
        streamed, self.streamed = self.streamed, []
        for where, chunk in streamed:
            self.hear("page", zlib.decompress(chunk), where)
        for path, read in self.files.items():
            try:
                with path.open("rb") as file:
                    file.seek(read)
                    text = file.read()
            except OSError:
                continue  # of a test before, whose folder is gone
            self.files[path] = read + len(text)
            self.hear("log file", text, path.name)


def as_logged(record: logging.LogRecord) -> str:
    """The message, all that is attached to the record, and its traceback."""
    try:
        text = f"{record.getMessage()}\n{record.__dict__!r}"
    except Exception as error:  # noqa: BLE001  (a site's logging says so too, and goes on)
        text = repr(error)
    if record.exc_info and record.exc_info[1] is not None:
        text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
    return f"{text}\n{record.exc_text or ''}\n{record.stack_info or ''}"


def _allowed_in(record: logging.LogRecord) -> Collection[str]:
    return AT_REST if record.name.startswith("django.db.backends") else ()


def _before(kind: type[Any], name: str, hear: Callable[..., None]) -> None:
    real = getattr(kind, name)

    @wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        hear(*args, **kwargs)
        return real(*args, **kwargs)

    setattr(kind, name, wrapped)


def _after(kind: type[Any], name: str, hear: Callable[..., None]) -> None:
    real = getattr(kind, name)

    @wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        hear(result, *args, **kwargs)
        return result

    setattr(kind, name, wrapped)
