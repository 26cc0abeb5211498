"""Addresses that Label Studio may send to: those of the internet, and of this network only our own service's."""

import ipaddress
import socket
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_BANNED = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "233.252.0.0/24", "240.0.0.0/4", "255.255.255.255/32"),
    *("::/128", "::1/128", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64"),
    *("2001:0000::/32", "2001:20::/28", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8"),
)
"""Networks that Label Studio 1.23.2 bans by default (its ``core/utils/io.py``); the list can only be replaced whole."""


def environment(service: str) -> dict[str, str]:
    """Label Studio's protection against requests to inner addresses, with the one exception that we need.

    Args:
        service: Our service's address as Label Studio knows it.
    """
    return {
        "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "true",
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "true",
        "LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS": "false",
        "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS": ",".join(banned_subnets(addresses_of(service))),
    }


def banned_subnets(allowed: frozenset[Address]) -> list[str]:
    """The networks to which Label Studio may not send, without the allowed addresses."""
    networks = [ipaddress.ip_network(text) for text in _BANNED]
    for address in allowed:
        networks = [part for network in networks for part in _without(network, address)]
    return [str(network) for network in networks]


def addresses_of(url: str) -> frozenset[Address]:
    """All addresses of a URL's host; none where its name is not known now."""
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found)


def _without(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, address: Address
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    if address.version != network.version or address not in network:
        return [network]
    single = ipaddress.ip_network(address)
    if isinstance(network, ipaddress.IPv4Network) and isinstance(single, ipaddress.IPv4Network):
        return list(network.address_exclude(single))
    if isinstance(network, ipaddress.IPv6Network) and isinstance(single, ipaddress.IPv6Network):
        return list(network.address_exclude(single))
    return [network]
