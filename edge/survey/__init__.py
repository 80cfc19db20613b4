"""The survey's own work, useful without any model: counters, stations, agreement, density."""
