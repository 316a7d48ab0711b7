"""A release and a rotation while baking, mended, then the rollback: the applications log in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.workspace import Workspace

RELEASE = """
CREATE FUNCTION public.discount(amount numeric) RETURNS numeric LANGUAGE sql
    AS $$ SELECT amount * 0.9 $$;
CREATE VIEW public.rich_account AS SELECT * FROM account WHERE balance > 10;
CREATE FUNCTION public.stamp_order() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stamp_order BEFORE INSERT ON "Order"
    FOR EACH ROW EXECUTE FUNCTION public.stamp_order();
CREATE INDEX order_placed ON "Order" (placed_at);
CREATE ROLE reporting LOGIN PASSWORD 'reporting-2026';
GRANT SELECT ON account TO reporting;
REVOKE ALL ON audit_log FROM app;
ALTER ROLE postgres PASSWORD 'rotated-2026';
"""


def connected(env: dict[str, str], **more: Any) -> psycopg.Connection[Any]:
    place = {"host": env["PGHOST"], "port": env["PGPORT"], "dbname": "orders", "autocommit": True}
    return psycopg.connect(**{**place, "user": env["PGUSER"], **more})


def keys(workspace: Workspace, run: str, kind: str) -> list[str]:
    offers = workspace.json("mend", run, "--json")
    return [each["key"] for each in offers if each["key"].startswith(f"remedy/{kind}/")]


def test_what_a_release_brought_is_there_after_the_rollback(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    env = workspace.lab_environment()
    begun = workspace.last_line("auto", str(plan), "--until", "bake", "--yes", "--json", env=env)
    run, passfile = begun["run"], Path(env["PGPASSFILE"])
    with connected(env, passfile=passfile) as production:
        production.execute(RELEASE.encode())
    lines = passfile.read_text(encoding="utf-8").splitlines()
    rotated = [
        ":".join([*line.split(":")[:4], "rotated-2026"]) if ":postgres:" in line else line
        for line in lines
    ]
    passfile.write_text("\n".join(rotated) + "\n", encoding="utf-8")
    # Blue prime takes the former password: told in words, and not known is not equal.
    refused = workspace.run("compare", run, expect=4)
    assert "password authentication failed" in refused.stderr
    assert "Traceback" not in refused.stderr
    (key,) = keys(workspace, run, "password")
    workspace.run("mend", run, key, "--yes")
    made = keys(workspace, run, "alike")
    assert len(made) == 8, made
    for key in made:
        workspace.run("mend", run, key, "--yes")
    assert keys(workspace, run, "alike") == []
    back = workspace.last_line("auto", run, "--track", "rollback", "--yes", "--json")
    assert back["result"] == "rolled_back"
    with connected(env, user="reporting", password="reporting-2026") as reporting:
        assert reporting.info.server_version < 170000
        assert reporting.execute("SELECT count(*) > 0 FROM account").fetchone() == (True,)
        assert reporting.execute("SELECT public.discount(10)").fetchone() == (9,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reporting.execute("SELECT * FROM audit_log")
