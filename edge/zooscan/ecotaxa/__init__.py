"""EcoTaxa: scans go there as imports, validated categories come back to their objects; queued while there is no link."""
