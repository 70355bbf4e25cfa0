"""Has a withdrawal signed by a Chancery appliance over mutual TLS, and checks what came back itself.

It asks for one payment under one request id until there is an answer, which is safe however often it is run: the same id
and content is the same request. See docs/clients.md.
"""

import argparse
import hashlib
import json
import pathlib
import ssl
import sys
import time

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from chancery_client import Client
from chancery_client.api.keys import get_keys
from chancery_client.api.signatures import get_signatures, put_signatures
from chancery_client.models import Item, ItemSignature, KeyAnswer, Output, Problem, Receipt
from chancery_client.models import SignatureAnswer, SignatureRequest, Transfer
from chancery_client.types import Response, Unset

DESTINATION = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
# Order of the curve secp256k1 (SEC 2, 2.4.1).
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
PATIENCE_S = 120


class Refused(Exception):
    """The appliance refused, and putting the same again at once would not help."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.type_}: {problem.detail} (retry: {problem.retry})")
        self.problem = problem


def connect(url: str, ca: str, certificate: str, key: str) -> Client:
    """A client that speaks TLS 1.3 with this one CA's server, and shows its certificate."""
    tls = ssl.create_default_context(cafile=ca)  # no other CA is trusted
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(certificate, key)
    return Client(
        base_url=url,
        verify_ssl=tls,
        timeout=httpx.Timeout(30),
        raise_on_unexpected_status=True,
        httpx_args={"trust_env": False},  # no proxy and no CA of the environment
    )


def put(client: Client, request_id: str, body: SignatureRequest) -> tuple[SignatureAnswer, bytes]:
    """Puts the same request until it is answered; the answer, and its bytes, which never change."""
    until = time.monotonic() + PATIENCE_S
    while True:
        pause = 1
        try:
            response = put_signatures.sync_detailed(request_id, client=client, body=body)
        except httpx.TransportError as error:
            # Whether it was signed nobody knows here. The same id finds out, and never signs twice.
            said = repr(error)
        else:
            answer = response.parsed
            if isinstance(answer, Problem) and answer.retry != "same":
                raise Refused(answer)
            if isinstance(answer, SignatureAnswer) and answer.status != "accepted":
                return answer, response.content
            pause = retry_after(response)
            said = answer.type_ if isinstance(answer, Problem) else "accepted, and not signed yet"
        print(f"{said}: the same again in {pause} s", flush=True)
        if time.monotonic() + pause > until:
            raise TimeoutError(f"{request_id} has no answer yet: run this again with the same --id")
        time.sleep(pause)


def retry_after(response: Response) -> int:
    """How many seconds the appliance wants to be left alone."""
    return int(response.headers.get("retry-after", "1"))


def verify(key: KeyAnswer, digest: bytes, signature: ItemSignature) -> None:
    """Checks r || s over a digest under the key as the appliance listed it, not as this answer names it."""
    if signature.public_key != key.public_key or signature.digest != digest.hex():
        raise InvalidSignature("the answer is about another key or digest")
    raw = bytes.fromhex(signature.signature)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    if s > ORDER // 2:
        raise InvalidSignature("s is not low")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), bytes.fromhex(key.public_key))
    public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def receipt(client: Client, request_id: str) -> Receipt:
    """The proof that the signature is in the audit log: there as soon as a checkpoint covers it, about a second later."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        answer = get_signatures.sync(request_id, client=client)
        if isinstance(answer, Problem):
            raise Refused(answer)
        if answer is not None and not isinstance(answer.receipt, Unset):
            return answer.receipt
        time.sleep(0.5)
    raise TimeoutError("no checkpoint covers it: is the appliance's token there?")


def withdrawal(key: str, message: bytes, amount: str) -> SignatureRequest:
    """A payment from a `declared` key: the digest to sign, and in words what it pays."""
    return SignatureRequest(
        items=[Item(key=key, digest=hashlib.sha256(message).hexdigest())],
        transfer=Transfer(asset="BTC", fee="0.00001", outputs=[Output(destination=DESTINATION, amount=amount)]),
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="https://127.0.0.1:8443")
    parser.add_argument("--pki", type=pathlib.Path, default=pathlib.Path("var/quickstart/pki"))
    parser.add_argument("--key", default="btc-hot", help="a `declared` secp256k1 key")
    parser.add_argument("--id", default="example-python-1", help="one for each withdrawal")
    parser.add_argument("--out", type=pathlib.Path, help="a directory for answer.json and receipt.json")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    tls = (str(asked.pki / name) for name in ("ca.crt", "watcher.crt", "watcher.key"))
    client = connect(asked.url, *tls)

    listed = get_keys.sync(client=client)
    if listed is None or isinstance(listed, Problem):
        sys.exit(f"the keys cannot be listed: {listed}")
    for key in listed.keys:
        print(f"key {key.name}: {key.algorithm}, {key.evidence}, {key.state}, {key.public_key}")
    key = next((key for key in listed.keys if key.name == asked.key), None)
    if key is None:
        sys.exit(f"no key {asked.key} is granted")

    message = f"the transaction of {asked.id}".encode()
    body = withdrawal(key.name, message, "0.001")
    answer, stored = put(client, asked.id, body)
    if answer.status != "signed" or isinstance(answer.signatures, Unset):
        sys.exit(f"{asked.id} is {answer.status}")
    verify(key, hashlib.sha256(message).digest(), answer.signatures[0])
    print(f"{asked.id}: signed in entry {answer.entry}, and the signature verifies")
    if put(client, asked.id, body)[1] != stored:
        sys.exit("the same request was answered with other bytes")
    print("the same request again gives the same bytes")

    proof = receipt(client, asked.id)
    print(f"its receipt: entry {proof.index} under checkpoint {proof.checkpoint.splitlines()[1]}")
    try:
        put(client, f"{asked.id}-too-much", withdrawal(key.name, message, "9"))
        sys.exit("a payment over every rule was not refused")
    except Refused as refused:
        print(f"refused, as it must be: {refused}")

    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "answer.json").write_bytes(stored)
        (asked.out / "receipt.json").write_text(json.dumps(proof.to_dict()))


if __name__ == "__main__":
    main()
