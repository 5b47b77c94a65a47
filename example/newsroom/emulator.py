"""Credentials for an emulator of Google Cloud Storage, which takes any."""

from functools import lru_cache


@lru_cache(maxsize=None)
def credentials():
    """Return those of a service account with a new key, so that URLs can be signed."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from google.oauth2.service_account import Credentials

    key = generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    made = Credentials.from_service_account_info(
        {
            "client_email": "site@harbour.iam.gserviceaccount.com",
            "private_key": text,
            "token_uri": "http://127.0.0.1:9",
        },
        scopes=["https://www.googleapis.com/auth/devstorage.full_control"],
    )
    return made.with_always_use_jwt_access(True)  # no server gives it a token
