"""Makes a Python client from the document of a running server and does the main job with it, from sign-in to cancellation.

Fails if the generator warns of anything or leaves an operation out: then the document says something in a way that
programs do not understand. Run beside a server by scripts/with-server.sh.
"""

import datetime
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import server_client

ROOT = Path(__file__).resolve().parent.parent
BASE = os.environ["BASE"]
SCRATCH = Path(os.environ["SCRATCH"])
GENERATE_SECONDS_MAX = 300
METHODS = {"get", "post", "put", "patch", "delete"}
HOURS = 3
QUANTITY = 500_000  # Wh an hour
COLUMNS = (
    "device_id", "interval_start_datetime", "interval_end_datetime", "interval_usage", "gross_net_indicator",
)


def generate():
    document = SCRATCH / "openapi.json"
    document.write_bytes(server_client.request(BASE + "/openapi.json"))
    tools = ROOT / ".venv" / "bin"
    command = [
        tools / "openapi-python-client", "generate", "--path", document, "--config", ROOT / "scripts" / "python-client.yaml",
        "--meta", "none", "--output-path", SCRATCH / "granary_client", "--fail-on-warning",
    ]
    # It formats what it has made with a program from the same folder.
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(command, check=True, cwd=SCRATCH, env=environment, timeout=GENERATE_SECONDS_MAX)
    paths = json.loads(document.read_text(encoding="utf-8"))["paths"]
    operations = sum(len(METHODS & set(path)) for path in paths.values())
    modules = [module for module in SCRATCH.glob("granary_client/api/*/*.py") if module.name != "__init__.py"]
    assert len(modules) == operations, f"{operations} operations, but {len(modules)} functions"
    return modules


def main():
    modules = generate()
    sys.path.insert(0, str(SCRATCH))
    for module in modules:
        importlib.import_module(".".join(module.relative_to(SCRATCH).with_suffix("").parts))
    do_the_main_job()
    print(f"Python client: all {len(modules)} operations are in it, and the main job works with it")


def do_the_main_job():
    from granary_client import AuthenticatedClient, Client, models
    from granary_client.api import accounts, certificates, devices, measurements, sign_in, users
    from granary_client.types import Unset

    def ask(module, *arguments, **named):
        """What the server answered, as the value that its status promises."""
        answer = module.sync_detailed(*arguments, **named)
        assert answer.status_code < 300 and answer.parsed is not None, answer
        return answer.parsed

    def sign_in_as(name):
        body = models.SignIn(username=name, password=os.environ["ADMIN_PASSWORD"])
        token = ask(sign_in.auth_login, client=Client(base_url=BASE, raise_on_unexpected_status=True), body=body)
        return AuthenticatedClient(base_url=BASE, token=token.access_token, raise_on_unexpected_status=True)

    administrator = sign_in_as(os.environ["ADMIN_EMAIL"])
    trader = models.UserCreate(
        name="Trader", primary_contact="trader@example.org", password=os.environ["ADMIN_PASSWORD"],
        roles=[models.Role.TRADING_USER],
    )
    trader = ask(users.user_create, client=administrator, body=trader)
    source, target = (
        ask(accounts.account_create, client=administrator, body=models.AccountCreate(account_name=name, user_ids=[trader.id]))
        for name in ("Source", "Target")
    )
    allowed = models.WhitelistUpdate(add_to_whitelist=[source.id])
    ask(accounts.account_update_whitelist, target.id, client=administrator, body=allowed)
    device = models.DeviceCreate(
        account_id=source.id, capacity=1_000_000, device_name="Turbine", energy_source=models.EnergySource.WIND,
        grid="Grid", is_storage=False, location="Hill", peak_demand=1_000, technology_type="Turbine",
        operational_date=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    )
    device = ask(devices.device_create, client=administrator, body=device)
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - datetime.timedelta(days=1)
    rows = [
        models.ReadingRow(
            device_id=device.id, gross_net_indicator="NET", interval_usage=QUANTITY,
            interval_start_datetime=first + datetime.timedelta(hours=hour),
            interval_end_datetime=first + datetime.timedelta(hours=hour + 1),
        )
        for hour in range(HOURS)
    ]
    submitted = ask(measurements.measurement_submit_readings, client=administrator, body=rows)
    assert submitted.accepted == HOURS, submitted
    # The same as a text, which is another body of the same operation.
    lines = [",".join(COLUMNS), *(",".join(str(row.to_dict()[name]) for name in COLUMNS) for row in rows)]
    submitted = ask(measurements.measurement_submit_readings, client=administrator, body="\n".join(lines))
    assert submitted.unchanged == HOURS, submitted
    metadata = models.MetadataCreate(
        country_of_issuance="GB", connected_grid_identification="Grid", issuing_body="Issuer", issue_market_zone="GB",
    )
    metadata = ask(certificates.certificate_create_metadata, client=administrator, body=metadata)
    job = ask(certificates.certificate_issue, client=administrator, body=models.Issue(from_=first, metadata_id=metadata.id, to=today))
    assert (job.state, job.issued, job.quantity) == (models.JobState.DONE, HOURS, HOURS * QUANTITY), job

    client = sign_in_as("trader@example.org")
    found = ask(certificates.certificate_query, client=client, body=models.Query(source_id=source.id))
    assert found.total_certificate_volume == HOURS * QUANTITY
    ids = [bundle.id for bundle in found.granular_certificate_bundles]
    transfer = models.Transfer(
        granular_certificate_bundle_ids=ids, source_id=source.id, target_id=target.id, certificate_bundle_percentage=0.5,
    )
    transfer = ask(certificates.certificate_transfer, client=client, body=transfer)
    assert transfer.total_quantity == HOURS * QUANTITY // 2, transfer

    found = ask(certificates.certificate_query, client=client, body=models.Query(source_id=target.id))
    ids = [bundle.id for bundle in found.granular_certificate_bundles]
    cancel = models.Cancel(granular_certificate_bundle_ids=ids, source_id=target.id, beneficiary="Bakery")
    assert ask(certificates.certificate_cancel, client=client, body=cancel).total_quantity == transfer.total_quantity
    certificate = ask(certificates.certificate_read, ids[0], client=client)
    assert certificate.certificate_bundle_status == models.BundleStatus.CANCELLED, certificate
    assert certificate.beneficiary == "Bakery" and not isinstance(certificate.device_id, Unset)

    # A refusal is a value too, with its reason.
    refused = certificates.certificate_cancel.sync_detailed(client=client, body=cancel)
    assert refused.status_code == 400 and isinstance(refused.parsed, models.Problem), refused


if __name__ == "__main__":
    main()
