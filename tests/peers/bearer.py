"""Prints a JSON Web Token, made with nothing but the standard library and openssl.

bearer.py hs256 SECRET CLAIMS
bearer.py rs256 KEY.pem CLAIMS [KID]
bearer.py none - CLAIMS
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def main():
    kind, key, claims = sys.argv[1:4]
    header = {"alg": "none" if kind == "none" else kind.upper(), "typ": "JWT"}
    if len(sys.argv) > 4:
        header["kid"] = sys.argv[4]
    signed = encoded(json.dumps(header).encode()) + b"." + encoded(claims.encode())
    if kind == "hs256":
        signature = hmac.new(key.encode(), signed, hashlib.sha256).digest()
    elif kind == "rs256":
        command = ["openssl", "dgst", "-sha256", "-sign", key]
        signature = subprocess.run(command, input=signed, capture_output=True, check=True).stdout
    else:
        signature = b""
    print((signed + b"." + encoded(signature)).decode())


main()
