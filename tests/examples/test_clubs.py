"""The example clubs as they run: who is let in, who is not, and `make club`."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection

import psycopg
import pytest

from support.clubs import CLUBS, CSRF, HUMO, PATIENCE_S, ROOT, running
from support.ports import free_port
from support.postgres import postgres_database

FORMS = ["/join", "/rejoin", "/cards/remove", "/pay", "/retry", "/cancel", "/keep", "/clock"]
MEMBERS = ["/card", "/me"]
TILL = "Basic " + base64.b64encode(b"operator:sandbox").decode()


class Browser:
    """As much of a browser as these tests need: it keeps cookies, and follows nothing."""

    def __init__(self, club):
        self.club = club
        self.cookies = {}
        self.csrf = ""

    def ask(self, path, body=None, **headers):
        """Ask for a page; gives its status, text and headers."""
        connection = HTTPConnection("127.0.0.1", self.club.port, timeout=PATIENCE_S)
        given = {"Cookie": "; ".join(f"{one}={value}" for one, value in self.cookies.items())}
        method = "GET" if body is None else "POST"
        try:
            connection.request(method, path, body, {**given, **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for kept in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = kept.partition(";")[0].partition("=")
            self.cookies[name] = value
        self.csrf = next(iter(CSRF.findall(text)), self.csrf)
        return answer.status, text, answer.headers

    def send(self, path, form, **headers):
        fields = "&".join(f"{name}={value}" for name, value in form.items())
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(path, fields, **kind, **headers)[0]

    def join(self, name="Aziza"):
        self.ask("/?lang=en")
        form = {"csrfmiddlewaretoken": self.csrf, "name": name, "agree": "yes"}
        assert self.send("/join", form) == 303
        self.csrf = re.findall('name="csrf" content="([^"]+)"', self.ask("/card")[1])[0]

    def hand(self, token, **headers):
        """Hand a token over, as the script of the card page does."""
        kind = {"Content-Type": "application/json", "X-CSRFToken": self.csrf}
        return self.ask("/cards", json.dumps({"token": token}), **{**kind, **headers})[0]


@pytest.fixture(scope="module", params=CLUBS)
def club(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp(request.param)) as club:
        yield club


@pytest.fixture
def browser(club):
    return Browser(club)


def test_nobody_is_a_member_before_joining_and_agreeing(browser):
    for path in MEMBERS:
        status, _, headers = browser.ask(path)
        assert (status, headers["Location"]) == (303, "/")
    browser.ask("/")
    for form in ({"name": "Aziza"}, {"agree": "yes"}, {"name": "%20", "agree": "yes"}):
        assert browser.send("/join", {"csrfmiddlewaretoken": browser.csrf, **form}) == 303
        assert browser.ask("/me")[2]["Location"] == "/"


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_another_site_is_refused(browser, path):
    browser.join()
    form = {"name": "Bek", "agree": "yes", "days": "day"}
    assert browser.send(path, form) == 403
    assert browser.send(path, {**form, "csrfmiddlewaretoken": "0" * 64}) == 403
    right = {**form, "csrfmiddlewaretoken": browser.csrf}
    assert browser.send(path, right, Origin="https://evil.example") == 403
    stranger = Browser(browser.club)
    stranger.join()
    assert browser.send(path, {**form, "csrfmiddlewaretoken": stranger.csrf}) == 403


def test_a_token_of_another_site_is_refused(browser, club):
    browser.join()
    token = club.box.add_card()
    assert browser.hand(token, **{"X-CSRFToken": ""}) == 403
    assert browser.hand(token, Origin="https://evil.example") == 403
    assert browser.hand(token) == 201


def test_a_token_without_a_session_is_nobodys(club):
    stranger = Browser(club)
    stranger.ask("/?lang=en")
    before = club.debits()
    assert stranger.hand(club.box.add_card(number=HUMO)) == 303
    assert club.debits() == before


def test_one_members_card_is_not_anothers(club, browser):
    browser.join()
    token = club.box.add_card()
    assert browser.hand(token) == 201
    thief = Browser(club)
    thief.join("Bek")
    before = club.debits()
    assert thief.hand(token) == 422
    assert club.debits() == before
    assert browser.ask("/me")[0] == 200


def test_what_is_too_long_or_no_json_harms_nothing(browser):
    browser.join()
    assert browser.hand("x" * 20_000) in (413, 400)
    kind = {"Content-Type": "application/json", "X-CSRFToken": browser.csrf}
    assert browser.ask("/cards", "{", **kind)[0] == 422
    assert browser.ask("/me")[0] == 200


def test_the_till_asks_for_its_password(browser):
    status, _, headers = browser.ask("/operator")
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic ")
    assert browser.ask("/operator", Authorization=TILL)[0] == 200


def test_each_page_has_its_policy_and_stays_out_of_caches(browser):
    browser.join()
    for path in ("/me", "/card", "/"):
        _, _, headers = browser.ask(path)
        if headers["Location"]:
            continue
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert ("connect-src http" in policy) == (path == "/card")
        assert headers["Cache-Control"] == "no-store"


def test_a_session_is_kept_from_scripts_and_other_sites(browser):
    browser.ask("/")
    form = {"csrfmiddlewaretoken": browser.csrf, "name": "Aziza", "agree": "yes"}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    before = dict(browser.cookies)
    fields = "&".join(f"{name}={value}" for name, value in form.items())
    _, _, headers = browser.ask("/join", fields, **kind)
    name = "club_session" if browser.club.name == "club_fastapi" else "sessionid"
    (kept,) = [one for one in headers.get_all("Set-Cookie") if one.startswith(name)]
    assert "httponly" in kept.lower()
    assert "samesite=lax" in kept.lower()
    # Another one than before: who planted a session in a browser is not logged in by it.
    assert before.get(name) != browser.cookies[name]
    assert len(browser.cookies[name]) >= 32


def test_a_session_survives_the_club(club, browser):
    browser.join("Dilnoza")
    club.stop()
    club.start()
    status, text, _ = browser.ask("/me")
    assert (status, "Dilnoza" in text) == (200, True)


@pytest.mark.parametrize("path", ["/club.db", "/..%2fclub.py", "/club.js.map", "/nothing/here"])
def test_only_its_files_are_served(browser, path):
    assert browser.ask(path)[0] == 404


@pytest.mark.slow
@pytest.mark.parametrize("name", CLUBS)
def test_a_database_that_drops_its_connections_loses_no_payment_and_no_message(name, tmp_path):
    with postgres_database() as url, running(name, tmp_path, url) as club:
        browser = Browser(club)
        browser.join()
        assert browser.hand(club.box.add_card()) == 201
        with psycopg.connect(url, autocommit=True) as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
            connection.execute(f"{others} current_database() AND pid <> pg_backend_pid()")
        club.wait_for(lambda: browser.ask("/me")[0] == 200)
        form = {"csrfmiddlewaretoken": browser.csrf, "days": "month"}
        club.wait_for(lambda: browser.send("/clock", form) == 303)
        club.wait_for(lambda: browser.ask("/me")[1].count("was taken for the period") >= 2)
        assert browser.ask("/me")[1].count("was taken for the period") == club.debits()


# `make club`


@contextmanager
def started(*options):
    with subprocess.Popen(
        [sys.executable, "-m", "examples.club.together", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", CLUBS)
def test_make_club_starts_both_and_stops_both(name):
    ports = str(free_port()), str(free_port())
    with started("--club", name, "--port", ports[0], "--sandbox-port", ports[1]) as process:
        heard = ""
        while "Ctrl-C stops both" not in heard:
            line = process.stdout.readline()
            assert line, heard
            heard += line
        assert f"http://127.0.0.1:{ports[0]}/operator" in heard
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "Both are stopped." in said
        # Python itself says this when it is struck before it has come to our code.
        assert "Traceback" not in said.partition("Could not import runpy module")[0]
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


@pytest.mark.slow
def test_a_club_that_cannot_start_is_told():
    with started(
        "--port", str(free_port()), "--sandbox-port", "0", "--database", "x://"
    ) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "examples.club.together: the shop did not start (status 1)" in said
