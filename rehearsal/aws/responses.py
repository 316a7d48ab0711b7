"""The wire of the imitated RDS API, by moto: query protocol in, XML out, by botocore's model.

The actions of the lab answer from its own state (`rehearsal.aws.registry`). A few that only keep
records beside it (subnet groups, option groups, event subscriptions) stay as moto has them. Every
other action, and every internal error, is answered as AWS would: an XML error, never a page.
"""

from __future__ import annotations

import logging
from typing import Any

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.rds.responses import RDSResponse

from rehearsal.aws.actions import ACTIONS
from rehearsal.aws.control import Control
from rehearsal.aws.error_answers import Answer, error_xml

_log = logging.getLogger(__name__)

_KEPT_FROM_MOTO = frozenset({
    "CreateDBSubnetGroup", "DeleteDBSubnetGroup", "DescribeDBSubnetGroups", "ModifyDBSubnetGroup",
    "CreateEventSubscription", "DeleteEventSubscription", "DescribeEventSubscriptions",
})  # fmt: skip

_COMMON_ERRORS = frozenset({"MissingParameter"})
"""Errors that every AWS service may send and no service model lists."""


class RdsResponse(RDSResponse):  # type: ignore[misc]
    """One request to the RDS API, answered from the lab's control plane."""

    def __init__(self, control: Control) -> None:
        super().__init__()
        self._control = control

    def answer(self, request: Any) -> Answer:
        """Return status, headers and body for a request."""
        try:
            self.setup_class(request)
        except OperationNotFoundError:
            name = request.values.get("Action", "")
            return error_xml(
                400, "InvalidAction", f"Could not find operation {name} for version 2014-10-31"
            )
        try:
            status, headers, body = self.call_action()
        except Exception as error:
            _log.exception("internal error in %s", self._get_action())
            return error_xml(500, "InternalFailure", f"{type(error).__name__}: {error}")
        return status, headers, body

    def call_action(self) -> Answer:
        """Answer from the lab, from moto for what it keeps, or refuse the action."""
        name = self._get_action()
        if name in _KEPT_FROM_MOTO:
            return self._plain(super().call_action())
        function = ACTIONS.get(name)
        if function is None:
            return error_xml(
                400, "InvalidAction", f"The action {name} is not imitated by the rehearsal lab."
            )
        try:
            result: Any = function(self._plane(name), self.params)
            self._control.answers.hold_result("rds", self._operation(name), result)
        except ServiceException as refusal:
            if refusal.code in _COMMON_ERRORS:
                return error_xml(400, refusal.code, refusal.message)
            result = refusal
        return self._plain(self.serialized(ActionResult(result)))

    def _operation(self, name: str) -> Any:
        return get_service_model(self.boto3_service_name).operation_model(name)

    def _plane(self, action: str) -> Control:
        control = self._control.in_region(self.region)
        return control.trail.view() if action.startswith(("Describe", "List")) else control

    @staticmethod
    def _plain(answer: Any) -> Answer:
        status, headers, body = answer
        return int(headers.pop("status", status)), dict(headers), body
