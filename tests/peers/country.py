"""Writes a MaxMind database of countries (https://maxmind.github.io/MaxMind-DB/), of IPv4.

country.py FILE NETWORK=CC...
"""

import ipaddress
import sys


def text(value):
    data = value.encode()
    assert len(data) < 29
    return bytes([2 << 5 | len(data)]) + data


def number(kind, value):
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    first = bytes([kind << 5 | len(data)]) if kind < 8 else bytes([len(data), kind - 7])
    return first + data


def table(entries):
    return bytes([7 << 5 | len(entries)]) + b"".join(text(key) + value for key, value in entries.items())


def main():
    file, networks = sys.argv[1], sys.argv[2:]
    nodes, data = [[None, None]], b""
    for entry in networks:
        network, country = entry.split("=")
        network = ipaddress.ip_network(network)
        offset = len(data)
        data += table({"country": table({"iso_code": text(country)})})
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        node = 0
        for bit in bits[:-1]:
            below = nodes[node][int(bit)]
            if below is None:
                nodes.append([None, None])
                below = nodes[node][int(bit)] = len(nodes) - 1
            node = below
        nodes[node][int(bits[-1])] = ("data", offset)

    def record(value):
        if value is None:
            value = len(nodes)
        elif isinstance(value, tuple):
            value = len(nodes) + 16 + value[1]
        return value.to_bytes(3, "big")

    metadata = table({
        "node_count": number(6, len(nodes)),
        "record_size": number(5, 24),
        "ip_version": number(5, 4),
        "database_type": text("Test-Country"),
        "languages": bytes([0, 11 - 7]),
        "binary_format_major_version": number(5, 2),
        "binary_format_minor_version": number(5, 0),
        "build_epoch": number(9, 1_800_000_000),
        "description": table({"en": text("made by a test")}),
    })
    with open(file, "wb") as out:
        for node in nodes:
            out.write(record(node[0]) + record(node[1]))
        out.write(bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)


main()
