"""Certificates for the tests of TLS: an authority, and keys with certificates that it signed."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


class Authority:
    """Writes PEM files into a folder: `ca.pem`, and a pair of files for each name that it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name.from_rfc4514_string("CN=test authority")
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self._sign(self._name, self._key.public_key(), authority=True))

    def issue(self, name: str, password: str | None = None) -> tuple[Path, Path]:
        """A certificate for this machine and its key, encrypted if there is a password."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, keyfile = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(self._sign(x509.Name.from_rfc4514_string(f"CN={name}"), key.public_key()))
        secret = password.encode() if password else None
        encryption = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
        keyfile.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption))
        return certificate, keyfile

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        built = (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        return built.sign(self._key, hashes.SHA256()).public_bytes(PEM)
