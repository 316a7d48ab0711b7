"""The host names of endpoints, formed as Aurora forms them.

They end in `localhost`, which no query for leaves the machine
(https://www.rfc-editor.org/rfc/rfc6761#section-6.3), and where a system does not resolve them,
`PGHOSTADDR` leads libpq there. Forms:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Endpoints.Cluster.html
"""

from __future__ import annotations

import base64
import hashlib

from rehearsal.aws.models import Cluster, CustomEndpoint, Instance

SUFFIX = "rds.localhost"


class Hosts:
    """The names of one account's endpoints in one Region."""

    def __init__(self, account: str, region: str) -> None:
        digest = hashlib.sha256(f"{account}/{region}".encode()).digest()
        own = base64.b32encode(digest).decode().lower()[:11]
        self._zone = f"c{own}.{region}.{SUFFIX}"

    def writer(self, cluster: Cluster) -> str:
        """Return the name that leads to the writer: the cluster endpoint."""
        return f"{cluster.identifier}.cluster-{self._zone}"

    def reader(self, cluster: Cluster) -> str:
        """Return the name that leads to a reader, or to the writer where there is none."""
        return f"{cluster.identifier}.cluster-ro-{self._zone}"

    def custom(self, endpoint: CustomEndpoint) -> str:
        """Return the name of a custom endpoint."""
        return f"{endpoint.identifier}.cluster-custom-{self._zone}"

    def instance(self, instance: Instance) -> str:
        """Return the name that leads to one instance."""
        return f"{instance.identifier}.{self._zone}"

    def of(self, cluster: Cluster) -> frozenset[str]:
        """Return every name that leads to a cluster's server, for which its certificate is made."""
        members = map(self.instance, cluster.instances)
        custom = map(self.custom, cluster.endpoints)
        return frozenset({self.writer(cluster), self.reader(cluster), *members, *custom})
