"""TLS in front of a server that has none, as a connection pooler or a load balancer ends it: the wheels of PostgreSQL and of
the Kafka broker were built without.

To clients of PostgreSQL it speaks the handshake of the protocol (SSLRequest, section 54.2.10 of PostgreSQL's manual); then it
passes bytes on.
"""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


@dataclass(frozen=True)
class Authority:
    """An authority of one's own, and a certificate of it for one host."""

    ca_file: Path
    certificate: Path
    """With its key."""


def authority(folder: Path, host: str) -> Authority:
    """A new one, with a certificate for `host` (a name, or an address)."""
    folder.mkdir()
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer, subject = _name("Authority of a test"), _name(host)
    try:
        san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        san = x509.DNSName(host)
    signed = _builder(issuer, issuer, ca_key.public_key())
    ca = signed.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        ca_key, hashes.SHA256()
    )
    leaf = _builder(issuer, subject, key.public_key()).add_extension(x509.SubjectAlternativeName([san]), critical=False)
    pem = serialization.Encoding.PEM
    made = Authority(folder / "ca.pem", folder / "server.pem")
    made.ca_file.write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.certificate.write_bytes(private + leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    return made


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


@dataclass
class Front:
    """What listens in front of the server."""

    port: int
    ca_file: Path
    passed_on: list[int] = field(default_factory=list)
    """How many bytes of each client went on to the server."""


@contextmanager
def tls_in_front(behind: int, certificate: Authority, *, is_asked_for: bool = True) -> Iterator[Front]:
    """Listen on loopback for the length of the block, with this certificate, before the server on a port. Clients ask for TLS
    first, as those of PostgreSQL do, or begin with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        front = Front(listening.getsockname()[1], certificate.ca_file)

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_one, args=(client, behind, context, front, is_asked_for), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield front
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _one(client: socket.socket, behind: int, context: ssl.SSLContext, front: Front, is_asked_for: bool) -> None:
    with client, suppress(OSError):
        if is_asked_for:
            if client.recv(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            client.sendall(b"S")
        with (
            context.wrap_socket(client, server_side=True) as spoken,
            socket.create_connection(("127.0.0.1", behind)) as server,
        ):
            place = len(front.passed_on)
            front.passed_on.append(0)
            back = threading.Thread(target=_pass_on, args=(server, spoken), daemon=True)
            back.start()
            for part in iter(lambda: spoken.recv(65_536), b""):
                front.passed_on[place] += len(part)
                server.sendall(part)
            server.shutdown(socket.SHUT_WR)
            back.join(5)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        for part in iter(lambda: one.recv(65_536), b""):
            other.sendall(part)
