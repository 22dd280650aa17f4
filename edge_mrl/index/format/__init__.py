"""What an index file's blobs hold, as docs/index-format.md specifies it. Pure."""
