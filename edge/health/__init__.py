"""Issues of the appliance, found by checks, told with advice."""
