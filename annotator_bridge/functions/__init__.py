"""What an annotator may ask for: detectors, trackers, interactors and re-identification, whoever calls them."""
