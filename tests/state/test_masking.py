"""No secret enters the journal, whatever it came in."""

from pathlib import Path

import pytest

from state.enums import Outcome, Status
from state.journal import Journal
from state.masking import masked, masked_json
from tests.state.invented import start

SECRET = "s3cr3t"
LEAKS = [
    f"host=db password={SECRET} user=x",
    f"host=db password='{SECRET} it''s long' user=x",
    f"host=db password = '{SECRET} \\' more' user=x",
    f"PGPASSWORD={SECRET} psql",
    f"host=db password=a,b;c){SECRET} user=x",
    f'PGPASSWORD="{SECRET} with spaces" psql',
    f"postgresql://ann:{SECRET}@db:5432/orders",
    f"postgresql://ann:{SECRET}@and@more@db:5432/orders",
    f"postgresql://:{SECRET}@db/orders",
    f"postgresql://db/orders?user=ann&password={SECRET}&sslmode=require",
    f"ALTER ROLE ann PASSWORD '{SECRET}'",
    f"CREATE ROLE \"an n\" LOGIN ENCRYPTED PASSWORD E'{SECRET}\\'s' VALID UNTIL 'infinity'",
    f"ALTER ROLE ann PASSWORD\n  $tag${SECRET}$tag$",
    f"rds.CreateDBCluster(MasterUsername='ann', MasterUserPassword='{SECRET}')",
    f'{{"MasterUserPassword": "{SECRET}", "Port": 5432}}',
    f"{{'MasterUserPassword': '{SECRET}'}}",
    f"aws rds create-db-cluster --master-user-password {SECRET} --port 5432",
    f"aws rds create-db-cluster --master-user-password='{SECRET} x'",
    f"AWS_SECRET_ACCESS_KEY={SECRET}",
    f"aws_session_token = {SECRET}",
    f"db:5432/?Action=connect&X-Amz-Security-Token={SECRET}&X-Amz-Signature={SECRET}",
    f"SCRAM-SHA-256$4096:{SECRET}==${SECRET}/+=:{SECRET}=",
    f"CREATE SUBSCRIPTION s CONNECTION 'host=db password={SECRET}' PUBLICATION p",
    f"CREATE SUBSCRIPTION s CONNECTION 'host=db password=''{SECRET} x''' PUBLICATION p",
]


@pytest.mark.parametrize("text", LEAKS)
def test_a_secret_is_masked(text: str) -> None:
    assert SECRET not in masked(text)
    assert "***" in masked(text)
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "password=*** user=x",
        'password = "env:ORDERS_PASSWORD"',
        "password = pgpass",
        '"password": "arn:aws:secretsmanager:us-east-1:1:secret:orders-x"',
        "The password: see ~/.pgpass.",
        "SHOW password_encryption",
        "SET password_encryption = 'scram-sha-256'",
        "ManageMasterUserPassword=False",
        "ALTER ROLE ann PASSWORD NULL",
        "https://docs.aws.amazon.com/AmazonRDS/latest/a@b",
        "arn:aws:rds:us-east-1:471100000815:cluster:orders",
        "12:03:11 postgresql://ann@db:5432/orders",
        "SELECT passwd FROM tenants; -- 100% 🐘",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize("unit", ["x", "-", "password", "'", "://a:", "password$$", "password ''"])
def test_long_texts_are_no_trap(unit: str) -> None:
    """A search that goes back over what it has read would not come to an end here."""
    assert masked(unit * (200_000 // len(unit)))


def test_values_under_the_names_of_secrets_are_masked() -> None:
    assert masked_json(
        {
            "password": SECRET,
            "MasterUserPassword": SECRET,
            "aws_secret_access_key": SECRET,
            "connect": [{"password": "env:X"}, {"password": ""}, f"password={SECRET}"],
            "ManageMasterUserPassword": True,
            "password_encryption": "md5",
            "n": 1,
            "none": None,
        }
    ) == {
        "password": "***",
        "MasterUserPassword": "***",
        "aws_secret_access_key": "***",
        "connect": [{"password": "env:X"}, {"password": ""}, "password=***"],
        "ManageMasterUserPassword": True,
        "password_encryption": "md5",
        "n": 1,
        "none": None,
    }


def test_nothing_written_holds_a_secret(path: Path) -> None:
    leak = f"postgresql://ann:{SECRET}@db password={SECRET} ALTER ROLE a PASSWORD '{SECRET}'"
    with Journal.open(path) as journal:
        start(journal)
        journal.enter_track("run1", journal.run().track, variant=leak, from_step=leak, reason=leak)
        attempt = journal.begin_attempt("run1", "create-slots").id
        effect = journal.intend(attempt, "key", leak, leak)
        journal.settle(effect, Outcome.UNKNOWN, {"error": leak, "password": SECRET})
        journal.resolve(effect, Outcome.FAILED, who=leak, reason=leak)
        journal.end_attempt(attempt, Status.FAILED, leak)
        journal.decide("run1", "create-slots", "gate", who=leak, typed=leak)
        journal.evidence("run1", "create-slots", leak, key="k", value=[leak, {leak: leak}])
        journal.event("run1", "note", leak, {"said": leak})
        files = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert "journal.db-wal" in files
    assert b"create-slots" in b"".join(files.values())
    for content in files.values():
        assert SECRET.encode() not in content


def test_what_was_masked_in_a_name_is_found_again_by_that_name(path: Path) -> None:
    name = f"of a database password={SECRET}"
    with Journal.open(path) as journal:
        start(journal)
        for number in (1, 2):
            attempt = journal.begin_attempt("run1", name)
            assert attempt.number == number
            journal.end_attempt(attempt.id, Status.FAILED, "")
        journal.evidence("run1", name, "seen", key=name, value=7)
        assert journal.fact("run1", name) == 7
        assert [seen.text for seen in journal.evidences("run1", name, key=name)] == ["seen"]
