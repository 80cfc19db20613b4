"""How fast each variant of a pack is on this machine, beside OpenVINO's own benchmark_app."""
