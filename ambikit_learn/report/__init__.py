"""Pictures of what a run shows, and a page of them."""
