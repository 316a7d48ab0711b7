"""The lab's own API under `/_lab/`: what the command line and the plan's hooks ask of it."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rehearsal import hook
from rehearsal.aws.control import Control
from rehearsal.aws.identity_policies import User
from rehearsal.faults.faults import KINDS, FaultError, Faults
from rehearsal.lab import Options
from rehearsal.servers.ports import HOST
from rehearsal.workload.workload import Workload, WorkloadError

Answer = tuple[int, dict[str, Any]]


class Refused(Exception):
    """A request that cannot be served, in one sentence."""


class ControlApi:
    """Answers the requests of one lab's clients."""

    def __init__(
        self,
        *,
        folder: Path,
        options: Options,
        control: Control,
        faults: Faults,
        workload: Workload | None,
        target_version: str,
        secret_arn: str,
        root: Path,
    ) -> None:
        self._folder = folder
        self._options = options
        self._control = control
        self._faults = faults
        self._workload = workload
        self._target_version = target_version
        self._secret_arn = secret_arn
        self._root = root
        production = control.cluster(options.cluster)
        # The port stays with the name, which leads nowhere while it is between two clusters.
        self._production_port, self._master = production.port, production.master
        self._production_host = control.hosts.writer(production)
        self._production = production.resource_id
        self.url = ""
        self._routes: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "status": self._status,
            "traffic": self._traffic,
            "ledger": self._ledger,
            "gap": self._gap,
            "fault": self._fault,
            "calls": self._calls,
            "answers": self._answers,
            "user": self._user,
        }

    def __call__(self, method: str, name: str, body: dict[str, Any]) -> Answer:
        """Return HTTP status and answer."""
        route = self._routes.get(name)
        if route is None:
            return 404, {"error": f"The lab has no request {name!r}."}
        try:
            return 200, route(body)
        except (Refused, FaultError, WorkloadError) as refusal:
            return 409, {"error": str(refusal)}

    def _user(self, body: dict[str, Any]) -> dict[str, Any]:
        user = User(body["name"], body["policy"])
        self._control.policies.put(body["access_key"], user)
        return {}

    def environment(self) -> dict[str, str]:
        """Return the variables that make AWS tools, libpq and blueprime mean this lab."""
        home = self._folder.parent
        plan = home / f"{self._options.cluster}.toml"
        host, port = self._serving()
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self._control.region,
            "AWS_DEFAULT_REGION": self._control.region,
            "AWS_ACCESS_KEY_ID": "AKIAREHEARSAL0000000",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "PGHOST": host,
            "PGHOSTADDR": HOST,
            "PGPORT": str(port),
            "PGUSER": self._master,
            "PGDATABASE": "postgres",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self._root),
            "PGPASSFILE": str(self._folder / "pgpass"),
            "BLUEPRIME_HOME": str(home),
            **({"BLUEPRIME_PLAN": str(plan)} if self._is_plan_of_ours(plan) else {}),
        }

    def _serving(self) -> tuple[str, int]:
        """Return where the application connects to: at first the production cluster's endpoint."""
        if self._workload is not None:
            return self._workload.address
        return self._production_host, self._production_port

    def _is_plan_of_ours(self, plan: Path) -> bool:
        """Return whether a plan was written for this lab: one before it may have left it."""
        try:
            cluster = tomllib.loads(plan.read_text(encoding="utf-8"))["cluster"]
            return bool(cluster["resource_id"] == self._production)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _psql(self) -> str | None:
        """Return the shell's command for a psql that speaks to every server, if there is one."""
        return self._control.fleet.client("psql")

    @property
    def _sslmode(self) -> str:
        """The strictest that a plan for this lab may have, from which a subscription's follows.

        A server whose libpq has no TLS connects to no other one with a stricter mode.
        """
        return "verify-full" if self._control.fleet.all_speak_tls else "prefer"

    def _hooks(self) -> dict[str, list[str]]:
        script = [sys.executable, "-I", "-S", str(Path(hook.__file__).resolve())]
        return {name: [*script, name, str(self._folder)] for name in ("stop", "start", "lead")}

    def _status(self, body: dict[str, Any]) -> dict[str, Any]:
        control = self._control
        with control.lock:
            clusters = [
                {
                    "identifier": cluster.identifier,
                    "resource_id": cluster.resource_id,
                    "version": cluster.version,
                    "status": cluster.status,
                    "port": cluster.port,
                    "members": [member.identifier for member in cluster.instances],
                    "endpoints": {each.identifier: each.port for each in cluster.endpoints},
                }
                for cluster in control.clusters
            ]
            deployments = [
                {"identifier": each.identifier, "name": each.name, "status": each.status}
                for each in control.deployments
            ]
        return {
            "pid": os.getpid(),
            "folder": str(self._folder),
            "endpoint_url": self.url,
            "region": control.region,
            "account": control.account,
            "pace": control.pace.scale,
            "cluster": self._options.cluster,
            "target_version": self._target_version,
            "versions": list(control.catalogue.served),
            "password": self._secret_arn,
            "sslmode": self._sslmode,
            "clusters": clusters,
            "deployments": deployments,
            "traffic": self._stats(),
            "faults": self._faults.waiting(),
            "hooks": self._hooks(),
            "psql": self._psql(),
            "env": self.environment(),
        }

    def _stats(self) -> dict[str, Any]:
        workload = self._workload
        if workload is None:
            return {"running": False, "load": 0}
        if not workload.running:
            return {"running": False, "load": self._options.load}
        return {"running": True, "load": self._options.load, **workload.stats()}

    def _application(self) -> Workload:
        if self._workload is None:
            raise Refused("This lab was started without a workload (load 0).")
        return self._workload

    def _traffic(self, body: dict[str, Any]) -> dict[str, Any]:
        action = body.get("action")
        match action:
            case "start":
                self._application().start()
            case "stop":
                if not self._application().stop():
                    raise Refused(
                        "Not every writer of the workload has left: one is still in a transaction."
                    )
            case "lead":
                self._lead(str(body["host"]), int(body["port"]))
            case "status":
                pass
            case _:
                raise Refused(f"Traffic cannot {action!r}: start, stop, status.")
        return self._stats()

    def _lead(self, host: str, port: int) -> None:
        """Change where the application connects to; running, it reconnects there."""
        workload = self._application()
        running = workload.running
        if running and not workload.stop():
            raise Refused("Not every writer of the workload has left its old endpoint.")
        workload.start(host=host, port=port)
        if not running:
            workload.stop()

    def _ledger(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._application().verdict())
        except WorkloadError as error:
            raise Refused(
                f"There is no verdict: the cluster that serves could not be compared. {error} The "
                "ledger is kept: ask again once the cluster answers."
            ) from error

    def _gap(self, body: dict[str, Any]) -> dict[str, Any]:
        gap = self._application().longest_gap(body["start"], body.get("end"))
        return {"seconds": None} if gap is None else dict(gap._asdict())

    def _fault(self, body: dict[str, Any]) -> dict[str, Any]:
        kind = str(body.get("kind"))
        if kind != "list":
            self._faults.order(kind, *(str(each) for each in body.get("arguments") or ()))
        return {"kinds": KINDS, "waiting": self._faults.waiting()}

    def _calls(self, body: dict[str, Any]) -> dict[str, Any]:
        audit = self._control.audit
        return {"calls": audit.requests() if body.get("reads") else audit.calls()}

    def _answers(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._control.answers.told()
