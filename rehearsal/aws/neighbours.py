"""What surrounds production in other services: the master secret and the subnet group, in moto."""

from __future__ import annotations

import json

from moto.ec2.models import ec2_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends

from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster
from rehearsal.aws.shapes import HOST
from rehearsal.aws.versions import ENGINE


def keep_master_secret(control: Control, cluster: Cluster, password: str) -> str:
    """Put the master user's credentials into Secrets Manager and return the secret's ARN."""
    secrets = secretsmanager_backends[control.account][control.region]
    made = secrets.create_secret(
        name=f"{cluster.identifier}/master",
        secret_string=json.dumps(
            {
                "engine": ENGINE,
                "host": HOST,
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


def add_subnet_group(control: Control, cluster: Cluster) -> None:
    """Make the cluster's subnet group, so that DescribeDBSubnetGroups finds it."""
    subnets = ec2_backends[control.account][control.region].describe_subnets()
    rds_backends[control.account][control.region].create_subnet_group(
        cluster.settings["DBSubnetGroup"], "Private subnets of production", subnets, []
    )
