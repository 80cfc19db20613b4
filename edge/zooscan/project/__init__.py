"""A Zooprocess project folder: which files belong to a scan, and what their texts say."""
