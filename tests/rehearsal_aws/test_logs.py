"""The logs of the servers, as botocore reads them and as blueprime does."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from runbook.aws import Aws
from tests.rehearsal_aws.conftest import REGION, Lab


async def test_the_last_lines_of_a_log_are_read_by_the_api(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.control.fleet.log = "\n".join(f"line {number}" for number in range(50))  # type: ignore[attr-defined]
    client = lab.client()
    (file,) = client.describe_db_log_files(DBInstanceIdentifier="orders-1")["DescribeDBLogFiles"]
    assert file["LastWritten"] == 1500
    with pytest.raises(ClientError, match="DBLogFileNotFoundFault"):
        client.download_db_log_file_portion(
            DBInstanceIdentifier="orders-1", LogFileName="error/none"
        )
    for name, value in {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    tail = await Aws(REGION).rds.log_tail("orders-1", lines=2)
    assert tail == "line 48\nline 49"
