from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.aws.control import Control
from rehearsal.aws.pace import Pace
from rehearsal.aws.production import found_production
from rehearsal.aws.server import Application, serve
from rehearsal.aws.versions import Catalogue
from rehearsal.faults.faults import Faults
from rehearsal.servers.seed import Seed
from tests.rehearsal_aws.fakes import FakeEndpoints, FakeFleet

ACCOUNT = "471147110815"
REGION = "us-east-1"


@dataclass
class Lab:
    """A control plane over stand-ins, behind its real HTTP server."""

    control: Control
    fleet: FakeFleet
    endpoints: FakeEndpoints
    faults: Faults
    url: str
    clients: dict[tuple[str, str, int], Any] = field(default_factory=dict)

    def client(self, service: str = "rds", region: str = REGION, attempts: int = 1) -> Any:
        key = (service, region, attempts)
        if key not in self.clients:
            self.clients[key] = self._client(*key)
        return self.clients[key]

    def _client(self, service: str, region: str, attempts: int) -> Any:
        connect: Any = boto3.client
        return connect(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="AKIAREHEARSAL",
            aws_secret_access_key="rehearsal",
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
        )

    def settle(self) -> None:
        assert self.control.settle(10)

    def settle_threads(self, title: str) -> None:
        """Wait for the work in progress whose title begins so: a deployment is watched on."""
        until(
            lambda: (
                not any(
                    each.name.startswith(title) and each.is_alive() for each in self.control.workers
                )
            )
        )

    def cluster(self, name: str = "orders") -> dict[str, Any]:
        rows = self.client().describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        return cast(dict[str, Any], rows[0])

    def instance(self, name: str) -> dict[str, Any]:
        rows = self.client().describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        return cast(dict[str, Any], rows[0])


def until(condition: Callable[[], Any], limit_s: float = 120.0) -> Any:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)
    return value


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str, int]:
    """Return code, text and HTTP status of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = cast(dict[str, Any], caught.value.response)
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    fleet, endpoints, pace = FakeFleet(), FakeEndpoints(), Pace(0)
    control = Control(
        region=REGION,
        account=ACCOUNT,
        fleet=cast(Any, fleet),
        endpoints=cast(Any, endpoints),
        pace=pace,
        catalogue=Catalogue(("16.14", "18.4")),
    )
    found_production(control, name="orders", version="16.14", password="x", seed=Seed())
    faults = Faults(control)
    server = serve(Application(control, lambda method, name, body: (404, {})))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Lab(control, fleet, endpoints, faults, f"http://127.0.0.1:{server.server_port}")
    fleet.hold.set()
    pace.stop()
    server.shutdown()
    server.server_close()
    thread.join()
    assert control.settle(10)
    assert control.answers.told()["misshapen"] == []


@pytest.fixture
def available(lab: Lab) -> str:
    """A deployment of `orders` that is AVAILABLE."""
    from tests.rehearsal_aws import deploying

    deploying.target_group(lab)
    identifier = deploying.create(lab)
    deploying.reach(lab, identifier, "AVAILABLE")
    return identifier
