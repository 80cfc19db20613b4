"""The local SQLite database: the only place that speaks SQL."""
