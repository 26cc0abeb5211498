"""Addresses that Label Studio may send to: the internet, and of all inner addresses our own service's alone."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotation_backend.environment import address_for_label_studio
from annotation_backend.labeling.studio_server import reach, server

OURS = ipaddress.ip_address("127.0.0.2")


def _is_banned(address: str, banned: list[str]) -> bool:
    place = ipaddress.ip_address(address)
    return any(place in ipaddress.ip_network(network) for network in banned)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.2:8000"),
        ("http://localhost:8000", "http://127.0.0.2:8000"),
        ("http://127.0.0.1", "http://127.0.0.2"),
        ("http://[::1]:8000", "http://127.0.0.2:8000"),
        ("https://maskloop.clinic.org", "https://maskloop.clinic.org"),
        ("http://10.1.2.3:8000", "http://10.1.2.3:8000"),
    ],
)
def test_label_studio_has_a_listener_of_its_own_where_browsers_use_this_machine(url: str, expected: str) -> None:
    assert address_for_label_studio(url) == expected


@hypothesis_settings(max_examples=200, deadline=None)
@given(address=st.ip_addresses(v=4) | st.ip_addresses(v=6) | st.ip_addresses(network="127.0.0.0/8"))
def test_only_our_address_is_taken_out_of_what_label_studio_bans_by_default(address: object) -> None:
    default, narrowed = reach.banned_subnets(frozenset()), reach.banned_subnets(frozenset({OURS}))
    assert _is_banned(str(address), narrowed) == (_is_banned(str(address), default) and address != OURS)


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "169.254.169.254", "::1", "fc00::1"]
)
def test_inner_addresses_stay_banned(inner: str) -> None:
    assert _is_banned(inner, reach.banned_subnets(frozenset({OURS})))


def test_a_service_in_the_hospital_is_the_one_inner_address(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    settings.ML_BACKEND_URL = "http://10.1.2.3:8000"
    monkeypatch.setenv("ADMINISTRATOR_PASSWORD", "unused")
    told = server.environment()
    banned = told["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"].split(",")
    assert not _is_banned("10.1.2.3", banned)
    assert _is_banned("10.1.2.4", banned)
    assert _is_banned("127.0.0.2", banned)
    on = ("LABEL_STUDIO_ML_BLOCK_LOCAL_IP", "LABEL_STUDIO_SSRF_PROTECTION_ENABLED")
    assert [told[name] for name in on] == ["true", "true"]


def test_a_name_that_nobody_knows_opens_nothing() -> None:
    assert reach.addresses_of("http://no-such-name.invalid:8000") == frozenset()
