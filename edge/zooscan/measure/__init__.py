"""What is measured of objects, by the names of EcoTaxa and Zooprocess."""
