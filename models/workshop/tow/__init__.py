"""Renders a whole UWTV tow of known truth: a seabed without an end, a sledge that surges over it, a video, a log and the numbers."""
