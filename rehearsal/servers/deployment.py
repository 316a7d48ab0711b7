"""Making green: what CreateBlueGreenDeployment does behind its four tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg

from rehearsal.servers import copies, replication, rights
from rehearsal.servers.replication import GREEN_STATE, STANDBY_SLOT, Link, Task
from rehearsal.servers.server import Server, ServerError


@dataclass(frozen=True, slots=True)
class Maker:
    """Make green from blue, or leave blue as it was."""

    blue: Server
    """It runs."""
    copied: Server
    """To be made: a copy on blue's version."""
    green: Server
    """To be made on the target's version; the copy itself where that is of the same major."""
    settings: Mapping[str, str]
    on_task: Callable[[Task, str], None]

    def make(self) -> Link:
        """Do all tasks and return what must be remembered of the deployment."""
        try:
            link, point = self._upgraded() if self.green is not self.copied else self._copied()
            with self._task(Task.CREATE_INSTANCES):
                self._open(link, point)
            with self._task(Task.CREATE_ENDPOINTS):
                return link
        except BaseException:
            self.copied.stop("immediate")
            # A blue that died meanwhile cannot be tidied, and is not why this failed.
            with suppress(ServerError, psycopg.Error):
                replication.drop_slots(self.blue)
                replication.drop_publications(self.blue)
            raise

    @contextmanager
    def _task(self, task: Task) -> Iterator[None]:
        self.on_task(task, "IN_PROGRESS")
        yield
        self.on_task(task, "COMPLETED")

    def _copied(self) -> tuple[Link, str]:
        with self._task(Task.CREATING_READ_REPLICA):
            made = self._copy()
        self.green.configure("group", self.settings)
        return made

    def _upgraded(self) -> tuple[Link, str]:
        # The new server is made beside the copy: it takes as long as half of it.
        with ThreadPoolExecutor(1) as beside:
            fresh = beside.submit(self._init_green)
            with self._task(Task.CREATING_READ_REPLICA):
                made = self._copy()
            with self._task(Task.ENGINE_UPGRADE):
                fresh.result()
                copies.upgrade(self.copied, self.green)
        return made

    def _init_green(self) -> None:
        self.green.configure("group", self.settings)
        self.green.initdb()

    def _copy(self) -> tuple[Link, str]:
        link = replication.publish(self.blue)
        with ThreadPoolExecutor(1) as beside:
            slots = beside.submit(replication.create_slots, self.blue, link)
            copies.base_backup(self.blue, self.copied, slot=STANDBY_SLOT)
            slots.result()
        point = replication.copy_to_point(self.blue, self.copied, link)
        replication.drop_publications(self.copied)
        rights.take_back(self.copied)
        self.copied.stop()
        with self.blue.connect() as connection:
            connection.execute("SELECT pg_drop_replication_slot(%s)", [STANDBY_SLOT])
        return link, point

    def _open(self, link: Link, point: str) -> None:
        self.green.configure("state", GREEN_STATE)
        self.green.set_doors(open_=True)
        self.green.start()
        rights.lend(self.green)
        replication.subscribe(self.blue, self.green, link, point)
