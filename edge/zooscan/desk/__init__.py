"""Everything that may be done with ZooScan scans while the appliance runs.

Nothing here looks at pixels itself: what does is an engine (`edge.zooscan.desk.engine`), so that the pages, which stay light, may call
the desk.
"""
