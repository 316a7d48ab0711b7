"""A request to an AWS service, read by botocore's own model, and refused where it breaks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

from rehearsal.aws.constraints import broken, missing
from rehearsal.aws.error_answers import Answer, error_xml
from rehearsal.aws.wire_values import (
    ABSENT,
    JsonReader,
    QueryReader,
    XmlReader,
    local,
    tree,
    xml_root,
)

_MODELS = {"monitoring": "cloudwatch", "autoscaling": "autoscaling"}
"""The name that a request is signed for -> botocore's, where they differ."""

_ENVELOPE = ("Action", "Version")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call: what it asks for, by botocore's names, and what of it breaks the model."""

    service: str
    """As requests are signed for it, and as IAM names it, e.g. `rds`."""
    protocol: str
    operation: Any
    """botocore's `OperationModel`."""
    region: str
    access_key: str
    parameters: Mapping[str, Any] = field(repr=False)
    absent: str | None
    """The first parameter that is required and not there."""
    violations: tuple[str, ...]

    @property
    def action(self) -> str:
        """The action's name, e.g. `DescribeDBClusters`."""
        return str(self.operation.name)

    def refusal(self) -> Answer | None:
        """Return the answer to a request that breaks the model, as its service words it."""
        if self.absent and self.protocol in ("query", "ec2"):
            words = f"The request must contain the parameter {self.absent}"
            return self.error(400, "MissingParameter", words)
        if not self.violations:
            return None
        number = len(self.violations)
        noun = "error" if number == 1 else "errors"
        words = f"{number} validation {noun} detected: {'; '.join(self.violations)}"
        return self.error(400, _CODES.get(self.protocol, "ValidationError"), words)

    def error(self, status: int, code: str, message: str) -> Answer:
        """Return an error in the form of the service's protocol."""
        match self.protocol:
            case "json":
                body = json.dumps({"__type": code, "message": message})
                return status, {"Content-Type": "application/x-amz-json-1.1"}, body
            case "ec2":
                body = (
                    f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>"
                    f"{escape(message)}</Message></Error></Errors>"
                    "<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
                )
                return status, {"Content-Type": "text/xml"}, body
        return error_xml(status, code, message)


_CODES = {"rest-xml": "InvalidInput", "json": "ValidationException", "ec2": "InvalidParameterValue"}
"""The code of an invalid request by protocol; the query protocol's is ValidationError.

Sources: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html,
https://docs.aws.amazon.com/autoscaling/application/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""


def read_request(request: Request) -> ApiRequest | None:
    """Return a signed request, or None where it names no action that its service has.

    CBOR, which no client of ours sends, is passed over too.
    """
    signature = _signature(request.headers.get("Authorization", ""))
    if signature is None:
        return None
    access_key, region, service = signature
    try:
        name = _MODELS.get(service, service)
        model = get_service_model(name)
        protocol = determine_request_protocol(model, request.content_type)
        operation, uri = get_service_router(name).match(request)
    except (HTTPException, NotImplementedError, LookupError, ValueError):
        return None
    shape = operation.input_shape
    value: dict[str, Any] = {}
    found: list[str] = []
    absent = None
    if shape is not None:
        value, found = _read(protocol, request, operation, uri)
        found += broken(shape, value)
        absent = missing(shape, value)
    return ApiRequest(service, protocol, operation, region, access_key, value, absent, tuple(found))


def signed_service(authorization: str) -> str | None:
    """Return the service of a signature (`…/us-east-1/rds/aws4_request`), if there is one."""
    signature = _signature(authorization)
    return signature[2] if signature else None


def _signature(authorization: str) -> tuple[str, str, str] | None:
    """Return access key, Region and service of a signature."""
    _, _, scope = authorization.partition("Credential=")
    parts = scope.split(",")[0].split("/")
    return (parts[0], parts[2], parts[3].lower()) if len(parts) == 5 else None


def _read(
    protocol: str, request: Request, operation: Any, uri: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    shape = operation.input_shape
    match protocol:
        case "query" | "ec2":
            given = ((k, v) for k, v in request.values.items() if k not in _ENVELOPE)
            query = QueryReader(ec2=protocol == "ec2")
            return _dict(query.read(shape, tree(given), "")), query.found
        case "json":
            reader = JsonReader()
            try:
                raw = json.loads(request.get_data() or b"{}")
            except ValueError as error:
                return {}, [f"The body is not JSON: {error}"]
            return _dict(reader.read(shape, raw, "")), reader.found
        case "rest-xml":
            return _read_rest(request, shape, uri)
    return {}, []


def _read_rest(
    request: Request, shape: Any, uri: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Read a REST request: labels of the path, the query string and an XML body."""
    xml = XmlReader()
    value: dict[str, Any] = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri" if wire in uri:
                value[name] = xml.scalar(member, uri[wire], name)
            case "querystring" if wire in request.args:
                value[name] = xml.scalar(member, request.args[wire], name)
    body = request.get_data()
    if body:
        try:
            root = xml_root(body)
        except ElementTree.ParseError as error:
            return value, [f"The body is not XML: {error}"]
        children = [root] if local(root) in shape.members else list(root)
        value |= xml.structure(shape, children, "")
    return value, xml.found


def _dict(value: Any) -> dict[str, Any]:
    return {} if value is ABSENT or value is None else value
