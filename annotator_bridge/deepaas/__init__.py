"""The V2 routes of DEEPaaS over the installed packs, so that clients of the iMagine modules ashore work aboard unchanged."""
