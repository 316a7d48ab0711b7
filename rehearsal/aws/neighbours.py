"""What production has in other services: the master secret, in moto's Secrets Manager."""

from __future__ import annotations

import json

from moto.secretsmanager.models import secretsmanager_backends

from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster
from rehearsal.aws.versions import ENGINE


def keep_master_secret(control: Control, cluster: Cluster, password: str) -> str:
    """Put the master user's credentials into Secrets Manager and return the secret's ARN."""
    secrets = secretsmanager_backends[control.account][control.region]
    made = secrets.create_secret(
        name=f"{cluster.identifier}/master",
        secret_string=json.dumps(
            {
                "engine": ENGINE,
                "host": control.hosts.writer(cluster),
                "port": cluster.port,
                "username": cluster.master,
                "password": password,
                "dbname": "postgres",
            }
        ),
        secret_binary=None,
        description=f"Master user of {cluster.identifier}",
        tags=[],
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )
    return str(json.loads(made)["ARN"])
