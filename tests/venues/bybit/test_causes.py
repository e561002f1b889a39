"""Errors of real requests that fail in real ways, in words."""

import socket
import threading
from contextlib import closing

import pytest
import requests

from infra.venues.bybit.http.causes import cause_words


def words_of_request(url: str) -> str:
    with pytest.raises(requests.RequestException) as caught:
        requests.get(url, timeout=0.2)
    return cause_words(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_said_without_objects(scheme: str) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        said = words_of_request(f"{scheme}://127.0.0.1:{unused.getsockname()[1]}/x?api_key=k")

    assert said == "Failed to establish a new connection: [Errno 111] Connection refused"


def test_a_silent_server_is_said_without_objects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = words_of_request(f"http://127.0.0.1:{silent.getsockname()[1]}/x")

    assert said == "Read timed out. (read timeout=0.2)"


def test_a_connection_that_is_cut_is_said_without_objects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:

        def cut() -> None:
            caller, _ = place.accept()
            caller.recv(1024)
            caller.close()

        thread = threading.Thread(target=cut)
        thread.start()
        said = words_of_request(f"http://127.0.0.1:{place.getsockname()[1]}/x")
        thread.join()

    assert said == "Remote end closed connection without response"


def test_a_connection_class_of_our_own_is_no_part_of_the_words() -> None:
    error = OSError("_SecureConnection(host='x.invalid', port=443): Failed to resolve 'x.invalid'")

    assert cause_words(error) == "Failed to resolve 'x.invalid'"
