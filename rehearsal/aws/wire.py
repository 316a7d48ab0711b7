"""Faults between a client and the imitated AWS: refusals, lost calls, lost answers, late effects.

A real API shows each of them: throttling and 5xx (documented), a connection that ends before or
after the call took effect, a token that expires, a policy that forbids one action.
"""

from __future__ import annotations

import json
from contextlib import suppress

from moto.core.request import Request

from rehearsal.aws.audit import target
from rehearsal.aws.control import Control
from rehearsal.aws.error_answers import Answer, error_xml
from rehearsal.aws.pace import Stopped
from rehearsal.aws.responses import RdsResponse

THROTTLE = "throttle"
SERVER_ERROR = "server-error"
LOSE_RESPONSE = "lose-response"
LOSE_REQUEST = "lose-request"
HANG = "hang"
PERFORM_LATE = "perform-late"
DENY = "deny"
EXPIRED = "expire-credentials"

HANG_S = 120.0
"""How long a hanging call stays open: longer than any client waits for an answer."""

_EXPIRED_TEXT = "The security token included in the request is expired"


class LostResponse(ConnectionError):
    """The connection closes without an answer, whether the call took effect or not."""


class Wire:
    """Answers calls to RDS, unless a fault was ordered for one."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._orders = control.orders

    def refuses_credentials(self, *, as_json: bool) -> Answer | None:
        """Return the answer of any service to credentials that have expired, or None."""
        if not self._orders.take(EXPIRED):
            return None
        if as_json:
            body = json.dumps({"__type": "ExpiredTokenException", "message": _EXPIRED_TEXT})
            return 400, {"Content-Type": "application/x-amz-json-1.1"}, body
        return error_xml(403, "ExpiredToken", _EXPIRED_TEXT)

    def answer(self, request: Request) -> Answer:
        """Perform a call to RDS and return its answer; raise `LostResponse` where it gets none."""
        action = request.values.get("Action", "")
        self._control.audit.came_in(action)
        refusal = self._refusal(action)
        if refusal is not None:
            return refusal
        if self._orders.take(LOSE_REQUEST, action):
            raise LostResponse(action)
        if self._orders.take(HANG, action):
            with suppress(Stopped):
                self._control.pace.wait(HANG_S)
            raise LostResponse(action)
        if late := self._orders.take(PERFORM_LATE, action):
            self._perform_late(action, request, float(late.value or 0))
            raise LostResponse(action)
        lost = self._orders.take(LOSE_RESPONSE, action) is not None
        answer = self._perform(action, request, lost=lost)
        if lost:
            raise LostResponse(action)
        return answer

    def _perform(self, action: str, request: Request, *, lost: bool) -> Answer:
        answer = RdsResponse(self._control).answer(request)
        if answer[0] < 400:
            self._control.audit.record(action, target(request.values), lost=lost)
        return answer

    def _perform_late(self, action: str, request: Request, seconds: float) -> None:
        request.get_data()  # the connection is closed before it is needed

        def work() -> None:
            self._control.pace.wait(seconds)
            self._perform(action, request, lost=True)

        self._control.background(f"perform {action} late", work)

    def _refusal(self, action: str) -> Answer | None:
        if self._orders.take(THROTTLE, action):
            return error_xml(400, "Throttling", "Rate exceeded")
        if self._orders.take(SERVER_ERROR, action):
            return error_xml(503, "ServiceUnavailable", "Service is unavailable; try again later.")
        if self._orders.take(DENY, action):
            return error_xml(
                403,
                "AccessDenied",
                f"User: arn:aws:iam::{self._control.account}:user/rehearsal is not authorized to "
                f"perform: rds:{action} because no identity-based policy allows the rds:{action} "
                "action",
            )
        return None
