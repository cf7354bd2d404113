"""From a folder of clips to shards."""
