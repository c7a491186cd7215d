"""What every page has."""

from __future__ import annotations

from starlette.testclient import TestClient


def test_every_answer_forbids_foreign_content(client: TestClient) -> None:
    for path in ("/", "/nowhere"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_a_form_without_the_token_of_its_browser_is_refused(client: TestClient) -> None:
    client.get("/")
    for token in ("", "0" * 64):
        answer = client.post("/language", data={"language": "en", "csrf_token": token})
        assert answer.status_code == 403


def test_pages_are_compressed_for_whoever_reads_that(client: TestClient) -> None:
    plain = client.get("/nowhere", headers={"accept-encoding": "identity"})
    packed = client.get("/nowhere", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.text == plain.text


def test_what_checks_links_is_answered_without_a_body(client: TestClient) -> None:
    answer = client.head("/tunes")
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.head("/tunes/99").status_code == 404
    refused = client.put("/tunes/99")
    assert refused.status_code == 405 and "GET" in refused.headers["allow"]
