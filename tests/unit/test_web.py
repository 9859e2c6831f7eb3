"""The way out: only listed hosts, only public addresses, looked up once, every redirect checked, bounded in size and time."""

import httpx
import pytest

from agents.errors import AgentError, AgentFailed, EffectUnanswered, EffectUnreached
from agents.web.address import inside, pinned, target_of
from agents.web.client import Resolved, Web
from tests.counting import Asked, Counting, Served, counting

# {port}: a real server on loopback that counts who connects. Every name and notation here leads to it, or to another inside.
HOSTILE = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0X7F.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.1:{port}/",
    "http://127.0.0.01:{port}/",
    "http://127.000.000.001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://00000000:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fd00:ec2::254]/latest/",
    "http://[ff02::1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://[::ffff:169.254.169.254]/",
    "http://168.63.129.16/machine",
    "http://100.100.100.200/latest/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://loc\tal\nhost:{port}/",
    "http:// 127.0.0.1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://localhost%00.example.com:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "dict://127.0.0.1:{port}/info",
    "ftp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}!/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "data:text/plain,x",
    "http://",
    "http://:{port}/",
    "",
    "http://" + "a" * 3000 + "/",
)


@pytest.mark.parametrize("hosts", [("*",), ("api.example.com",), ()], ids=["any public host", "another host", "no host"])
@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_address_is_never_connected_to(url: str, hosts: tuple[str, ...]) -> None:
    """Whatever the notation, nothing inside is reached, even where every public host is allowed."""
    async with counting() as server:
        with pytest.raises(AgentFailed):
            await Web(hosts).fetch("GET", url.replace("{port}", str(server.port)), {}, timeout_s=3)

        assert server.connections == 0


def test_there_are_enough_hostile_addresses() -> None:
    """So many were tried, each in three settings."""
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "::ffff:10.0.0.1", "fd00::1", "0.0.0.0"])
async def test_a_listed_name_that_leads_inside_is_not_followed(address: str) -> None:
    """A name on the list may resolve to anything: where one of its addresses is inside, none is connected to."""

    async def resolve(_host: str, _port: int) -> Resolved:
        return "93.184.216.34", address

    async with counting() as server:
        with pytest.raises(AgentFailed, match="address_not_allowed"):
            await Web([f"rebound.example:{server.port}"], resolve).fetch("GET", f"http://rebound.example:{server.port}/", {})

        assert server.connections == 0


async def test_a_name_is_looked_up_once_and_its_address_is_pinned() -> None:
    """A resolver that says another address later is not asked again: connected to is what was checked."""
    answers = [("93.184.216.34",), ("127.0.0.1",)]
    connected: list[str] = []

    async def resolve(_host: str, _port: int) -> Resolved:
        return answers.pop(0)

    def note(request: httpx.Request) -> httpx.Response:
        connected.append(request.url.host)
        assert request.headers["host"] == "rebind.example"
        assert request.extensions["sni_hostname"] == "rebind.example"
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    reply = await Web(["rebind.example"], resolve, httpx.MockTransport(note)).fetch("GET", "https://rebind.example/", {})

    assert (reply.status, connected, len(answers)) == (200, ["93.184.216.34"], 1)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/", "http://localhost:{other}/", "http://[::1]:{other}/", "//127.0.0.1:{other}/",
        "http://2130706433:{other}/", "http://169.254.169.254/", "file:///etc/passwd", "gopher://127.0.0.1:{other}/",
        "http://evil.example/", "http://u@127.0.0.1:{other}/", "https://127.0.0.1:{other}/", "http://[::ffff:127.0.0.1]:{other}/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_checked_like_the_first_address(location: str, status: int) -> None:
    """A listed host cannot send us to one that is not."""
    async with counting() as other:
        place = location.replace("{other}", str(other.port))
        async with counting(lambda _asked: Served(status, {"location": place})) as first:
            with pytest.raises(AgentFailed):
                await Web([f"127.0.0.1:{first.port}"]).fetch("GET", f"http://127.0.0.1:{first.port}/", {})

            assert first.connections == 1
        assert other.connections == 0


async def test_a_redirect_within_the_list_is_followed_without_the_key() -> None:
    """To another listed host a request goes on, and what it was signed with does not."""

    async def resolve(host: str, _port: int) -> Resolved:
        return ("127.0.0.1",)

    async with counting() as second:
        place = f"http://localhost:{second.port}/x"
        async with counting(lambda _asked: Served(302, {"location": place})) as first:
            web = Web(["127.0.0.1", f"localhost:{second.port}"], resolve)
            reply = await web.fetch("GET", f"http://127.0.0.1:{first.port}/", {"authorization": "s", "accept": "a"})

        assert first.asked[0].headers["authorization"] == "s"
        assert reply.url == place
        assert "authorization" not in second.asked[0].headers
        assert second.asked[0].headers["accept"] == "a"


async def test_redirects_end() -> None:
    """Whoever is sent in a circle stops."""
    async with counting(lambda _asked: Served(302, {"location": "/again"})) as server:
        with pytest.raises(AgentFailed, match="too_many_redirects"):
            await Web([f"127.0.0.1:{server.port}"]).fetch("GET", f"http://127.0.0.1:{server.port}/", {})

        assert server.connections == 4


async def test_a_post_is_never_sent_on() -> None:
    """What changes something is asked where it was meant to be asked."""
    async with counting(lambda _asked: Served(307, {"location": "/again"})) as server:
        reply = await Web([f"127.0.0.1:{server.port}"]).fetch("POST", f"http://127.0.0.1:{server.port}/", {}, b"{}")

        assert (reply.status, server.connections) == (307, 1)


def _endless(_asked: Asked) -> Served:
    return Served(body=b"x" * 200_000)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_endless, "reply_too_big"),
        (lambda _asked: Served(headers={"content-encoding": "gzip"}, body=b"\x1f\x8b"), "bad_reply"),
        (lambda _asked: Served(after_s=5), "no answer within"),
        (lambda _asked: Served(after_s=-1), "did not answer"),
    ],
)  # fmt: skip
async def test_a_reply_is_bounded(answer: object, error: str) -> None:
    """Too big, packed, too late, or none at all: each is told by name."""
    async with counting(answer) as server:  # type: ignore[arg-type]
        web = Web([f"127.0.0.1:{server.port}"], most_bytes=100_000)
        with pytest.raises(AgentError, match=error):
            await web.fetch("GET", f"http://127.0.0.1:{server.port}/", {}, timeout_s=0.5)


async def test_nobody_there_is_unreached_and_silence_is_unanswered() -> None:
    """Whether anybody was connected to decides whether it may be asked again."""
    with pytest.raises(EffectUnreached):
        await Web(["127.0.0.1"]).fetch("GET", "http://127.0.0.1:9/", {})
    async with counting(lambda _asked: Served(after_s=-1)) as server:
        with pytest.raises(EffectUnanswered):
            await Web(["127.0.0.1"]).fetch("GET", f"http://127.0.0.1:{server.port}/", {})


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables cannot send our requests through somebody else."""
    async with counting() as proxy, counting() as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await Web([f"127.0.0.1:{server.port}"]).fetch("GET", f"http://127.0.0.1:{server.port}/", {})

        assert (proxy.connections, server.connections) == (0, 1)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_not_inside(address: str) -> None:
    """The door is not simply shut."""
    assert not inside(address)


def test_what_the_operator_lists_by_address_may_be_inside() -> None:
    """A name may lead inside where the operator listed the very address, too."""
    hosts = ("service.internal:8080", "10.0.0.5")
    target = target_of("http://service.internal:8080/x", hosts)

    assert pinned(target, ("10.0.0.5",), hosts) == ("10.0.0.5",)
    with pytest.raises(AgentFailed):
        pinned(target, ("10.0.0.6",), hosts)
    with pytest.raises(AgentFailed):
        target_of("http://service.internal:8081/x", hosts)


def test_the_server_counts() -> None:
    """What the tests above count is there to be counted."""
    assert Counting(lambda _asked: Served()).connections == 0
