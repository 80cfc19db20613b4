"""`people` and `audit`, with the appliance stopped and running; the pages on the ship's network."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.commands.running import ADDRESS_NAME, TOKEN_NAME, ask
from edge.errors import AccessError, BusyError
from edge.web.tls import own_certificate
from tests.helpers.people import PASSWORD
from tests.helpers.tiny_home import make_tiny_home, wait_until

EXIT_SETTINGS, EXIT_ACCESS = 2, 8
EVERYWHERE = "0.0.0.0"  # noqa: S104 (under test)


class Command:
    """`imagine-edge --home HOME`: in this process, which spares a second of imports each time, or as the program that people start."""

    def __init__(self, words: list[str], home: Path, *, is_program: bool) -> None:
        self.words, self.home, self.is_program = [*words, "--home", str(home)], home, is_program

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        line = [*self.words, *words]
        if self.is_program:
            return subprocess.run(line, capture_output=True, text=True, input=stdin, check=False, timeout=120)
        ended = CliRunner().invoke(app, line[1:], input=stdin)
        return subprocess.CompletedProcess(line, ended.exit_code, ended.stdout, ended.stderr)

    def json(self, *words: str, stdin: str = "", code: int = 0) -> Any:
        done = self(*words, "--json", stdin=stdin)
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def command(edge_command: list[str], tmp_path: Path) -> Command:
    return Command(edge_command, tmp_path / "home", is_program=False)


@pytest.fixture
def program(edge_command: list[str], tmp_path: Path) -> Command:
    return Command(edge_command, tmp_path / "home", is_program=True)


def add(command: Command, name: str, role: str) -> Any:
    return command.json("people", "add", name, "--role", role, stdin=f"{PASSWORD}\n")


def test_accounts_without_a_running_appliance(command: Command, tmp_path: Path) -> None:
    refused = command.json("people", "add", "jd", "--role", "count", stdin=f"{PASSWORD}\n", code=EXIT_SETTINGS)
    assert refused["error"]["code"] == "account_invalid"
    assert add(command, "anna", "administer")["role"] == "administer"
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\r\nmore\n")
    made = command.json("people", "add", "jd", "--role", "count", "--full-name", "J. Doe", "--password-file", str(secret))
    assert (made["name"], made["full_name"], made["has_pin"]) == ("jd", "J. Doe", False)
    assert command.json("people", "pin", "jd", stdin="4711\n")["has_pin"]
    assert not command.json("people", "pin", "jd", "--remove")["has_pin"]
    assert command.json("people", "role", "JD", "review")["role"] == "review"
    assert command.json("people", "password", "jd", stdin="another long one\n")["failures"] == 0
    assert command.json("people", "unlock", "jd")["failures"] == 0
    assert command.json("people", "retire", "jd")["retired_utc"]
    assert [(row["name"], bool(row["retired_utc"])) for row in command.json("people", "list")] == [("anna", False), ("jd", True)]
    assert "retired" in command("people", "list").stdout
    for words in (("people", "retire", "anna"), ("people", "role", "anna", "view"), ("people", "unlock", "nobody-here")):
        assert command.json(*words, code=EXIT_SETTINGS)["error"]["code"] == "account_invalid"


@pytest.mark.parametrize("given", ["", "\n", "short\n", "anna\n"])
def test_a_password_that_will_not_do_makes_no_account(command: Command, given: str) -> None:
    assert command.json("people", "add", "anna", "--role", "administer", stdin=given, code=EXIT_SETTINGS)["error"]["advice"]
    add(command, "anna", "administer")


def test_no_secret_stands_on_the_command_line(program: Command) -> None:
    assert program("people", "add", "anna", "--role", "administer", "--password", PASSWORD).returncode == EXIT_SETTINGS


def test_the_trail_as_text_json_and_csv(command: Command) -> None:
    add(command, "anna", "administer")
    add(command, "jd", "count")
    assert "person_add" in command("audit").stdout
    rows = command.json("audit", "--action", "person_add")
    assert [(row["subject"], row["actor"], row["detail"]["role"]) for row in rows] == [
        ("person/jd", "cli", "count"),
        ("person/anna", "cli", "administer"),
    ]
    assert [row["audit_id"] for row in command.json("audit", "--subject", "person/jd")] == [rows[0]["audit_id"]]
    table = list(csv.DictReader(io.StringIO(command("audit", "--csv").stdout)))
    assert [row["audit_id"] for row in table] == [str(row["audit_id"]) for row in command.json("audit")]
    assert all(row["at_utc"].endswith("Z") for row in table)
    assert command("audit", "--csv", "--json").returncode == EXIT_SETTINGS


def test_the_fingerprint_is_told(command: Command) -> None:
    told = command.json("people", "fingerprint")
    assert told["sha256"] == own_certificate(command.home, ["localhost"]).sha256
    assert told["sha256"] in command("people", "fingerprint").stdout


def test_the_program_reads_a_password_from_its_stdin(program: Command) -> None:
    assert add(program, "anna", "administer")["role"] == "administer"
    assert "anna" in program("people", "list").stdout


def test_nobody_is_served_on_the_ships_network_without_an_administrator(program: Command) -> None:
    refused = program("run", "--host", EVERYWHERE, "--port", "0")
    assert refused.returncode == EXIT_SETTINGS
    assert "imagine-edge people add" in refused.stderr
    assert not (program.home / ADDRESS_NAME).exists()


@pytest.fixture
def afloat(program: Command, tmp_path: Path) -> Iterator[Command]:
    """The appliance of a home with an administrator, served on every address of this machine."""
    make_tiny_home(program.home, tmp_path / "pack")
    add(program, "anna", "administer")
    process = subprocess.Popen(
        [*program.words, "run", "--host", EVERYWHERE, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until((program.home / ADDRESS_NAME).exists, "the address is noted")
        wait_until(lambda: answers(program), "the pages answer")
        yield program
    finally:
        process.terminate()
        told, _ = process.communicate(timeout=60)
    assert own_certificate(program.home, ["localhost"]).sha256 in told, "printed at start"
    assert not (program.home / TOKEN_NAME).exists()


def noted(command: Command) -> dict[str, str]:
    found: dict[str, str] = json.loads((command.home / ADDRESS_NAME).read_text())
    return found


def answers(command: Command) -> bool:
    try:
        return httpx.get(f"{noted(command)['url']}/healthz", verify=False, trust_env=False).status_code in {200, 503}  # noqa: S501
    except httpx.TransportError:
        return False


def test_afloat(afloat: Command) -> None:
    """One long watch, since each start takes seconds: TLS, host names, accounts, the command line, a foreign certificate."""
    url = noted(afloat)["url"]
    port = int(url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(afloat.home / "keys" / "tls.crt"))
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{url}/healthz").status_code in {200, 503}, "the certificate covers the address"
        assert client.get(f"{url}/api/status").status_code == 401
        assert client.get(f"{url}/", headers={"host": f"{socket.gethostname()}:{port}"}).status_code == 303
        assert client.get(f"{url}/", headers={"host": "evil.example"}).status_code == 400
        assert client.post(f"{url}/actions/people/first", data={"name": "eve"}).status_code == 403
        signed_in = client.post(f"{url}/api/sign-in", json={"name": "anna", "password": PASSWORD})
        assert signed_in.headers["set-cookie"].startswith("__Host-")
        health = client.get(f"{url}/health").text
        assert noted(afloat)["sha256"] in health
    plain = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
    assert (plain.status_code, "https://" in plain.text) == (400, True), "whoever comes without encryption is told where to go, and no more"
    token = afloat.home / TOKEN_NAME
    if os.name != "nt":
        assert token.stat().st_mode & 0o777 == 0o600
    assert add(afloat, "jd", "count")["name"] == "jd", "by way of the running appliance"
    assert afloat.json("people", "role", "jd", "review")["role"] == "review"
    assert afloat.json("audit", "--action", "person_role")[0]["actor"] == "cli"
    assert afloat.json("people", "role", "anna", "view", code=EXIT_SETTINGS)["error"]["code"] == "account_invalid"
    assert afloat.json("reprocess")["reprocessed"] == 0
    kept = token.read_text()
    token.write_text("wrong\n")
    assert afloat.json("people", "unlock", "jd", code=EXIT_ACCESS)["error"]["code"] == "access_refused"
    token.write_text(kept)


class Listener:
    """Somebody else on the noted port, with a certificate of his own; keeps what was sent to him."""

    def __init__(self, home: Path) -> None:
        made = own_certificate(home, ["localhost"])
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate_path, made.key_path)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        plain, _ = self._socket.accept()
        with plain, self._context.wrap_socket(plain, server_side=True) as secure:
            try:
                self.heard += secure.recv(65536)
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()
        self._thread.join(60)


@pytest.mark.parametrize("sha256", ["", "00:11:22", "AB" * 32])
def test_the_token_is_not_sent_to_another_certificate(tmp_path: Path, sha256: str) -> None:
    listener = Listener(tmp_path / "other")
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    (home / TOKEN_NAME).write_text("secret-token\n")
    (home / ADDRESS_NAME).write_text(json.dumps({"url": f"https://127.0.0.1:{listener.port}", "pid": 1, "sha256": sha256}))
    with pytest.raises(AccessError, match="another certificate"):
        ask(home, "POST", "/api/people", {"password": PASSWORD}, instead_of=BusyError("busy"))
    listener.close()
    assert listener.heard == b""


def test_whoever_is_not_there_is_told_as_before(tmp_path: Path) -> None:
    for url in ("https://127.0.0.1:9", "http://127.0.0.1:9"):
        (tmp_path / ADDRESS_NAME).write_text(json.dumps({"url": url, "pid": 1, "sha256": "AB"}))
        with pytest.raises(BusyError, match="busy"):
            ask(tmp_path, "GET", "/api/me", {}, instead_of=BusyError("busy"))
    for content in ("", "[]", '{"url": 5}', "{"):
        (tmp_path / ADDRESS_NAME).write_text(content)
        with pytest.raises(BusyError, match="busy"):
            ask(tmp_path, "GET", "/api/me", {}, instead_of=BusyError("busy"))
