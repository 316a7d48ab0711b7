"""A release and a rotation while baking, repaired, then the rollback: the applications log in."""

from __future__ import annotations

from typing import Any

import boto3
import psycopg
import pytest

from tests.workspace import Workspace

RELEASE = """
CREATE FUNCTION public.discount(amount numeric) RETURNS numeric LANGUAGE sql
    AS $$ SELECT amount * 0.9 $$;
CREATE ROLE reporting LOGIN PASSWORD 'reporting-2026';
GRANT SELECT ON account TO reporting;
REVOKE ALL ON audit_log FROM app;
ALTER ROLE postgres PASSWORD 'rotated-2026';
"""


def connected(env: dict[str, str], **more: Any) -> psycopg.Connection[Any]:
    place = {"host": env["PGHOST"], "port": env["PGPORT"], "dbname": "orders", "autocommit": True}
    return psycopg.connect(**{**place, "user": env["PGUSER"], **more})


def rotate(env: dict[str, str], secret: str) -> None:
    """Let the secret that the plan refers to hold the new password, as a rotation ends."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    client.put_secret_value(SecretId=secret, SecretString='{"password": "rotated-2026"}')


def keys(workspace: Workspace, run: str, kind: str) -> list[str]:
    offers = workspace.json("repair", run, "--json")
    return [each["key"] for each in offers if each["key"].startswith(f"repair/{kind}/")]


@pytest.mark.chaos
def test_what_a_release_brought_is_there_after_the_rollback(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    env = workspace.lab_environment()
    begun = workspace.last_line("auto", str(plan), "--until", "bake", "--yes", "--json", env=env)
    run = begun["run"]
    with connected(env, passfile=env["PGPASSFILE"]) as production:
        production.execute(RELEASE.encode())
    # Until the secret follows, production is not entered either: told in words, and not "equal".
    refused = workspace.run("compare", run, expect=4)
    assert "password authentication failed" in refused.stderr
    assert "Traceback" not in refused.stderr
    rotate(env, workspace.json("lab", "status", "--json")["password"])
    # Blue prime is entered by the former password, which the secret still keeps.
    workspace.run("compare", run)
    found = keys(workspace, run, "password")
    assert len(found) == 1, workspace.run("repair", run).stdout
    (key,) = found
    workspace.run("repair", run, key, "--yes")
    made = keys(workspace, run, "alike")
    assert len(made) == 4, made
    for key in made:
        workspace.run("repair", run, key, "--yes")
    assert keys(workspace, run, "alike") == []
    back = workspace.last_line("auto", run, "--track", "rollback", "--yes", "--json")
    assert back["result"] == "rolled_back"
    with connected(env, user="reporting", password="reporting-2026") as reporting:
        assert reporting.info.server_version < 170000
        assert reporting.execute("SELECT count(*) > 0 FROM account").fetchone() == (True,)
        assert reporting.execute("SELECT public.discount(10)").fetchone() == (9,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reporting.execute("SELECT * FROM audit_log")
