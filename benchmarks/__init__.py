"""Speed, each figure beside a named baseline that is measured in the same run."""
