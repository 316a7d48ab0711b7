"""Certificates that follow new names late, as it was ordered for who takes a name next."""

from __future__ import annotations

from tests.rehearsal_aws.conftest import Lab
from tests.rehearsal_aws.deploying import reach, switch


def test_the_order_is_for_who_takes_the_name_and_for_nobody_else(lab: Lab, available: str) -> None:
    lab.faults.order("trail-certificate", "orders", "7")
    blue = lab.cluster()["DbClusterResourceId"]
    switch(lab, available)
    reach(lab, available, "SWITCHOVER_COMPLETED")
    cluster = lab.cluster()
    green = cluster["DbClusterResourceId"]
    assert lab.endpoints.trails == {green: 7.0, blue: 0.0}
    assert lab.endpoints.hosts[green] == {
        cluster["Endpoint"],
        cluster["ReaderEndpoint"],
        *cluster["CustomEndpoints"],
        *(lab.instance(name)["Endpoint"]["Address"] for name in ("orders-1", "orders-2")),
    }


def test_after_a_rename_it_may_take_a_stop_and_a_start(lab: Lab) -> None:
    lab.faults.order("trail-certificate", "sales")
    volume = lab.cluster()["DbClusterResourceId"]
    client = lab.client()
    client.modify_db_cluster(
        DBClusterIdentifier="orders", NewDBClusterIdentifier="sales", ApplyImmediately=True
    )
    lab.settle()
    assert lab.endpoints.trails == {volume: None}
    assert lab.endpoints.renewed == []
    client.stop_db_cluster(DBClusterIdentifier="sales")
    lab.settle()
    client.start_db_cluster(DBClusterIdentifier="sales")
    lab.settle()
    assert lab.endpoints.renewed == [volume]
    lab.faults.order("renew-certificate", "sales")
    assert lab.endpoints.renewed == [volume, volume]
