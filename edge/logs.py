"""Logs: JSON lines in the home folder, one event per line, ids bound; nothing secret, nothing sent anywhere."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

import structlog

LOG_FOLDER = "logs"
LOG_NAME = "edge.jsonl"
_MAX_BYTES = 10_000_000
_KEPT = 5


def configure_logs(home: Path | None, *, level: int = logging.INFO, name: str = LOG_NAME) -> None:
    """Write events of this level and above to `logs/edge.jsonl`, or the file of that name, in the home folder (None: nowhere)."""
    handler: logging.Handler = logging.NullHandler()
    if home is not None:
        folder = home / LOG_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(folder / name, maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at_utc"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
