"""Plain HTTP to the loopback."""

from __future__ import annotations

import ssl

# A client makes a context of its own otherwise, though nothing of it is needed: 30 ms for each, and tests make thousands.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
