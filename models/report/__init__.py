"""Reports as one HTML file each, that opens anywhere without a network: charts drawn as SVG, tables, no script."""
