"""https:// where no secure connection comes about: a line that went dead is no refusal, and a refusal is one server's alone."""

import socket
import threading
from collections.abc import Iterator

import pytest
from inference.loopback import Loopback, echoing

from rerank_cli.http.servers import Servers
from rerank_cli.http.transport import Passing, Refused, Transport
from rerank_cli.inference.served import served


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections go to this machine itself, whatever stands between it and others."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def closing() -> Iterator[str]:
    """The address of somebody who hears the greeting and hangs up, as a proxy does whose server is just starting."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_line_that_goes_dead_before_it_is_secure_may_be_asked_again(closing: str) -> None:
    with pytest.raises(Passing, match="dropped the connection"):
        Transport([closing], "", 1, 5.0).send(closing, "POST", "/x", b"{}")


def test_where_no_tls_is_spoken_nothing_is_said_of_certificates() -> None:
    with Loopback(echoing) as plain:
        address = plain.url.replace("http:", "https:")
        with pytest.raises(Refused, match="no secure connection") as caught:
            Transport([address], "", 1, 5.0).send(address, "POST", "/x", b"{}")
    assert "http://" in caught.value.hint


def test_one_that_refuses_to_be_looked_at_is_left_out_by_name_and_only_the_last_one_ends_the_run() -> None:
    notes: list[str] = []
    with Loopback(echoing) as plain, Loopback(echoing) as well:
        address = plain.url.replace("http:", "https:")
        servers = Servers([address, well.url], note=notes.append)
        assert served(servers, None, notes.append).model == "m"
        assert len(notes) == 1 and notes[0].startswith(address) and notes[0].endswith(": it is left out")
        for _ in range(4):
            assert servers.ask("/x", b'{"messages": [{"content": "a"}]}', lambda reply: (reply["model"], 1, 1)) == "m"
        assert (len(well.posts), servers.ledger.retries) == (4, 0)
        with pytest.raises(Refused, match="no secure connection"):
            served(Servers([address], note=notes.append), None, notes.append)
    assert len(notes) == 1
