"""Signs and verifies by the standard library: caller.py urllib|http.client ADDRESS

Prints a line for each answer: the step, the status and the body.
"""

import http.client
import json
import socket
import sys
import urllib.error
import urllib.request

LIBRARY, ADDRESS = sys.argv[1:]
PART = b"x" * 50_000


def parts():
    """A message of 5 MB, whose length is not known before."""
    for _ in range(100):
        yield PART


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(ADDRESS)


def connect():
    if ADDRESS.startswith("/"):
        return UnixConnection("signer", timeout=20)
    return http.client.HTTPConnection(ADDRESS.removeprefix("http://"), timeout=20)


def by_urllib(path, body, headers):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(ADDRESS + path, body, headers)
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def by_http_client(path, body, headers):
    connection = connect()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return response.status, response.read()


send = by_urllib if LIBRARY == "urllib" else by_http_client


def call(step, path, body, headers):
    status, answer = send(path, body, {"Sec-Signer": "1", **headers})
    print(step, status, answer.decode(), flush=True)
    return json.loads(answer)


def call_json(step, path, request):
    return call(step, path, json.dumps(request).encode(), {"Content-Type": "application/json"})


def call_message(step, path, headers={}):
    return call(step, path, parts(), {"Content-Type": "application/octet-stream", **headers})


signed = call_json("sign", "/v1/keys/orders/sign", {"message": "hello"})
call_json("verify", "/v1/keys/orders/verify", {"message": "hello", "signature": signed["signature"]})

webhook = {"body": '{"action":"opened"}'}
headers = call_json("sign-webhook", "/v1/keys/hooks/sign", webhook)["headers"]
call_json("verify-webhook", "/v1/keys/hooks/verify", {**webhook, "headers": headers})

streamed = call_message("sign-stream", "/v1/keys/orders/sign")
call_message("verify-stream", "/v1/keys/orders/verify", {"Sec-Signer-Signature": streamed["signature"]})

call_json("problem", "/v1/keys/orders/sign", {"message": 5})
for _ in range(30):
    call_json("too-large", "/v1/keys/orders/sign", {"message": "x" * 1_200_000})
