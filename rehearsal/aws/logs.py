"""The logs of the servers, by the actions that read them over the API."""

from __future__ import annotations

from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.registry import Params, Shape, action, page, required

_NAME = "error/postgresql.log"
_MOST_BYTES = 1024**2
"""AWS returns no more than this in one answer."""


@action("DescribeDBLogFiles")
def log_files(control: Control, params: Params) -> Shape:
    """List an instance's logs: the lab has one, which is the server's whole output."""
    instance = control.instance(required(params, "DBInstanceIdentifier"))
    size, written = control.fleet.log_size(instance.cluster.resource_id)
    rows: list[Shape] = [{"LogFileName": _NAME, "LastWritten": int(written * 1000), "Size": size}]
    if params.get("FilenameContains", "") not in _NAME:
        rows = []
    return page(params, "DescribeDBLogFiles", rows)


@action("DownloadDBLogFilePortion")
def log_portion(control: Control, params: Params) -> Shape:
    """Return the last lines of a log.

    Raises `RdsFault` for another file.
    """
    instance = control.instance(required(params, "DBInstanceIdentifier"))
    if required(params, "LogFileName") != _NAME:
        raise RdsFault("DBLogFileNotFoundFault", f"{params['LogFileName']} not found.")
    lines = int(params.get("NumberOfLines") or 10_000)
    text = control.fleet.log_tail(instance.cluster.resource_id, _MOST_BYTES)
    return {
        "LogFileData": "\n".join(text.splitlines()[-lines:]),
        "Marker": "0",
        "AdditionalDataPending": False,
    }
