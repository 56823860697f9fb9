"""From chunks to judged contacts: the cache, the partials, the fold and the view that detectors read."""
