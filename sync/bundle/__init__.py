"""Bundles: rows of results as small documents that any reader of CBOR and zstd opens; docs/bundles.md describes them."""
