"""Which addresses of the network a route may send to."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Beyond what the ipaddress module knows as not global; its list differs by version of Python.
_REFUSED = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also metadata of one provider, 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # metadata of one provider
        "169.254.0.0/16",  # link-local; metadata, 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast and reserved
        "2001::/23",  # Teredo, ORCHID and other assignments of protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: another address inside
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
# Of IPv6 nothing else is global unicast: not mapped and translated IPv4, not ULA with the metadata of fd00:ec2::254.
_GLOBAL = IPv6Network("2000::/3")


def parse_networks(networks: Sequence[str]) -> list[Network]:
    """The networks that a route allows; ValueError for what is not one.

    >>> parse_networks(["10.1.0.0/16", "::1"])
    [IPv4Network('10.1.0.0/16'), IPv6Network('::1/128')]
    """
    return [ip_network(network) for network in networks]


def allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the route names a network that holds the address. Mapped IPv4 is looked at as IPv4 too.

    >>> allowed(IPv6Address("::ffff:10.1.2.3"), parse_networks(["10.0.0.0/8"]))
    True
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any(one in network for network in networks for one in (address, mapped) if one is not None)


def public(address: Address) -> bool:
    """Whether the address is one of the open internet.

    >>> [public(one) for one in (IPv4Address("9.9.9.9"), IPv4Address("169.254.169.254"), IPv6Address("::ffff:9.9.9.9"))]
    [True, False, False]
    """
    if isinstance(address, IPv6Address) and address not in _GLOBAL:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _REFUSED)
