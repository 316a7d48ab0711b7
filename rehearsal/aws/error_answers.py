"""An answer as it goes over the wire, and errors in the form of the query protocol."""

from __future__ import annotations

from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], str]
"""Status, headers and body."""


def error_xml(status: int, code: str, message: str) -> Answer:
    """Return an error of the query protocol."""
    fault = "Sender" if status < 500 else "Receiver"
    body = (
        '<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">'
        f"<Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
        f"<Message>{escape(message)}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return status, {"Content-Type": "text/xml"}, body
