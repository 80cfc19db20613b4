"""The commands of `imagine-edge`, a module per group; `edge.cli` puts them together."""
