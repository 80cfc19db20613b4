"""What the pages and the JSON API read: functions on a read-only connection that return typed values.

Written for 10,000,000 objects in 350,000 files: totals come from `counters`, lists go by key and never by offset, and
a filter that no index serves looks at a bounded number of files per call and says where to go on.
"""
