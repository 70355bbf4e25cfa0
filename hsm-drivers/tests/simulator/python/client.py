"""What a user of Yubico's library does, against two simulators: client.py URL URL."""

import sys
from hashlib import sha256

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from yubihsm import YubiHsm
from yubihsm.defs import ALGORITHM, AUDIT, CAPABILITY, COMMAND, ERROR, OBJECT, ORIGIN
from yubihsm.exceptions import YubiHsmAuthenticationError, YubiHsmDeviceError
from yubihsm.objects import (
    AsymmetricKey,
    AttestationExtensions,
    AuthenticationKey,
    Opaque,
    WrapKey,
)

SIGN = CAPABILITY.SIGN_ECDSA | CAPABILITY.SIGN_EDDSA
CARRIED = SIGN | CAPABILITY.EXPORTABLE_UNDER_WRAP
MESSAGE = b"a writ under the great seal"


def refused(code, call, *arguments):
    """The call is refused with this code and no other."""
    try:
        call(*arguments)
    except YubiHsmDeviceError as error:
        assert error.code == code, error
    else:
        raise AssertionError("not refused: %r" % (call,))


def verify(public_key, signature):
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        public_key.verify(signature, MESSAGE)
    else:
        digest = sha256(MESSAGE).digest()
        public_key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def sign(key):
    public_key = key.get_public_key()
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return key.sign_eddsa(MESSAGE)
    return key.sign_ecdsa(MESSAGE)


def generate_and_sign(session):
    keys = []
    for algorithm in (ALGORITHM.EC_K256, ALGORITHM.EC_P256, ALGORITHM.EC_ED25519):
        key = AsymmetricKey.generate(session, 0, "made", 1, CARRIED, algorithm)
        verify(key.get_public_key(), sign(key))
        info = key.get_info()
        assert info.algorithm == algorithm and info.origin == ORIGIN.GENERATED, info
        assert info.label == "made" and info.capabilities == CARRIED, info
        keys.append(key)
    return keys


def put_and_sign(session):
    made = (
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
    )
    for private in made:
        key = AsymmetricKey.put(session, 0, "put", 1, SIGN, private)
        assert key.get_public_key() == private.public_key()
        verify(private.public_key(), sign(key))
        assert key.get_info().origin == ORIGIN.IMPORTED
        key.delete()
        refused(ERROR.OBJECT_NOT_FOUND, key.get_info)


def list_objects(session, keys):
    def listed(**filters):
        return {(found.object_type, found.id) for found in session.list_objects(**filters)}

    expected = {(OBJECT.ASYMMETRIC_KEY, key.id) for key in keys}
    assert listed(label="made") == expected
    assert listed(object_type=OBJECT.ASYMMETRIC_KEY) == expected
    assert listed(object_id=keys[0].id, algorithm=ALGORITHM.EC_K256) == {(OBJECT.ASYMMETRIC_KEY, keys[0].id)}
    assert listed(capabilities=CAPABILITY.EXPORTABLE_UNDER_WRAP) >= expected
    assert listed(label="made", domains=2) == set()


def move(session, other, keys):
    rights = CAPABILITY.EXPORT_WRAPPED | CAPABILITY.IMPORT_WRAPPED
    for algorithm, length in (
        (ALGORITHM.AES128_CCM_WRAP, 16),
        (ALGORITHM.AES192_CCM_WRAP, 24),
        (ALGORITHM.AES256_CCM_WRAP, 32),
    ):
        value = bytes(range(length))
        here, there = (WrapKey.put(to, 0, "wrap", 1, rights, algorithm, CARRIED, value) for to in (session, other))
        for key in keys:
            for seed in (False, True):
                moved = there.import_wrapped(here.export_wrapped(key, seed))
                assert isinstance(moved, AsymmetricKey) and moved.id == key.id
                assert moved.get_public_key() == key.get_public_key()
                verify(key.get_public_key(), sign(moved))
                assert moved.get_info().origin == ORIGIN.IMPORTED_WRAPPED | ORIGIN.GENERATED
                moved.delete()
    made = WrapKey.generate(session, 0, "wrap", 1, rights, ALGORITHM.AES256_CCM_WRAP, CARRIED)
    refused(ERROR.INVALID_DATA, there.import_wrapped, made.export_wrapped(keys[0]))


def attest(session, keys, maker, serial):
    device = Opaque(session, 0).get_certificate()
    device.verify_directly_issued_by(maker)
    maker.verify_directly_issued_by(maker)
    for key in keys:
        certificate = key.attest()
        certificate.verify_directly_issued_by(device)
        public_key = certificate.public_key()
        assert public_key == key.get_public_key()
        said = AttestationExtensions.parse(certificate)
        assert said.firmware_version == (2, 4, 0) and said.serial == serial, said
        assert said.origin == ORIGIN.GENERATED and said.domains == 1, said
        assert said.capabilities == CARRIED, said
        assert said.object_id == key.id and said.label == "made", said
        try:
            certificate.verify_directly_issued_by(maker)
        except (InvalidSignature, ValueError):
            pass
        else:
            raise AssertionError("issued by two")
    own = AsymmetricKey.generate(session, 0, "own", 1, CAPABILITY.SIGN_ATTESTATION_CERTIFICATE, ALGORITHM.EC_P256)
    refused(ERROR.OBJECT_NOT_FOUND, keys[0].attest, own.id)
    Opaque.put_certificate(session, own.id, "own", 1, CAPABILITY.NONE, own.attest())
    keys[0].attest(own.id).verify_directly_issued_by(own.get_certificate())


def audit(session, keys):
    first = session.get_log_entries()
    session.set_command_audit({COMMAND.SIGN_ECDSA: AUDIT.ON, COMMAND.ECHO: AUDIT.FIXED})
    assert session.get_command_audit()[COMMAND.SIGN_ECDSA] == AUDIT.ON
    session.set_force_audit(AUDIT.ON)
    assert session.get_force_audit() == AUDIT.ON
    last = first.entries[-1]
    session.set_log_index(last.number)
    for _ in range(200):
        # The library checks every digest against the entry before.
        try:
            sign(keys[0])
        except YubiHsmDeviceError as error:
            assert error.code == ERROR.LOG_FULL, error
            data = session.get_log_entries(last)
            assert data.n_boot == 0 and len(data.entries) == 62, data
            assert all(entry.command == COMMAND.SIGN_ECDSA for entry in data.entries)
            assert all(entry.target_key == keys[0].id for entry in data.entries)
            last = data.entries[-1]
            session.set_log_index(last.number)
            sign(keys[0])
    assert last.number >= 3 * 62
    session.set_force_audit(AUDIT.OFF)


def keep_opaque(session):
    for length in (1, 32, 2000):
        value = bytes(length)
        opaque = Opaque.put(session, 0, "opaque", 1, CAPABILITY.NONE, ALGORITHM.OPAQUE_DATA, value)
        assert opaque.get() == value and opaque.get_info().size == length
        opaque.delete()
    assert len(session.get_pseudo_random(64)) == 64


def roles(hsm, session, keys):
    none = CAPABILITY.NONE
    key = AuthenticationKey.put_derived(session, 0, "signer", 1, CAPABILITY.SIGN_ECDSA, none, "its password")
    with hsm.create_session_derived(key.id, "its password") as signer:
        sign(AsymmetricKey(signer, keys[0].id))
        refused(ERROR.INSUFFICIENT_PERMISSIONS, signer.get_log_entries)
        refused(ERROR.INSUFFICIENT_PERMISSIONS, AsymmetricKey(signer, keys[0].id).delete)
    try:
        hsm.create_session_derived(key.id, "another password")
    except YubiHsmAuthenticationError:
        pass
    else:
        raise AssertionError("another password opens a session")


def main(url, other_url):
    hsm, other_hsm = YubiHsm.connect(url), YubiHsm.connect(other_url)
    info = hsm.get_device_info()
    assert info.version == (2, 4, 0) and info.serial == 1 and info.log_size == 62, info
    session = hsm.create_session_derived(1, "password")
    other = other_hsm.create_session_derived(1, "password")
    maker = x509.load_der_x509_certificate(requests.get(url + "/simulator/ca", timeout=10).content)

    keys = generate_and_sign(session)
    put_and_sign(session)
    list_objects(session, keys)
    move(session, other, keys)
    attest(session, keys, maker, info.serial)
    keep_opaque(session)
    roles(hsm, session, keys)
    audit(session, keys)
    other.reset_device()
    session.close()
    print("all done")


if __name__ == "__main__":
    main(*sys.argv[1:])
