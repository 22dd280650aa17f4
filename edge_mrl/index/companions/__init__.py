"""Tables that follow the documents where they are asked for."""
