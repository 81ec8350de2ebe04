"""The document's claims, one file per loss that they are about."""
