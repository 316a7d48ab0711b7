"""One real server for the passwords' tests: it subscribes to itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.servers.server import Binaries, Ground, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ground = Ground(tmp_path_factory.mktemp("passwords"))
    try:
        binaries = Binaries()
        binaries.prepare(ground)
        made = Server(ground, binaries.find("16"), ground.base / "16" / "data")
        made.configure(
            "group", {"wal_level": "logical", "log_statement": "all", "autovacuum": "off"}
        )
        made.initdb()
        made.start()
        yield made
        made.stop("immediate")
    finally:
        ground.close()
