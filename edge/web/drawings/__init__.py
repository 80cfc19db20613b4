"""Charts and maps of the survey's pages as SVG: pure functions, values in, markup out; colours come from the page's style."""
