"""How long a server's certificate trails its names.

By itself as the lab's pace has it, and as long as it is ordered for who takes a name next.
"""

from __future__ import annotations

from rehearsal.aws.fault_orders import FaultOrders
from rehearsal.aws.models import Cluster
from rehearsal.aws.pace import Pace

TRAIL_CERTIFICATE = "trail-certificate"


def certificate_trail(orders: FaultOrders, pace: Pace, cluster: Cluster) -> float | None:
    """Return after how many seconds a cluster's certificate follows its names, just given.

    None: only once its server was stopped and started.
    """
    order = orders.take(TRAIL_CERTIFICATE, cluster.identifier)
    if order is None:
        return pace.seconds("certificate")
    return None if order.value is None else float(order.value)
