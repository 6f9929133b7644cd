"""`make bench`: the speed of the shop's hot requests, beside floors measured in the same run."""
