"""Commands of the exporter; edge_mrl.cli.registry names them."""
