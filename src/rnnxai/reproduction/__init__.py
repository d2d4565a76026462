"""The thesis beside what came out here: records of runs, published values, verdicts, claims, the page."""
