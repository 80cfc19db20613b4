"""Where ship and sledge were: logs as they come off the bridge, cleaned, and the distance over ground along them."""
