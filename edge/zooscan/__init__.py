"""ZooScan: from the scans of a project folder to measured, separated vignettes (domain: Zooprocess, EcoTaxa)."""
