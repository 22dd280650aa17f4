"""What runs on an emulated board, where only edge_mrl, its installation and pytest can be imported.

Nothing of the other files of `emulation` may be imported here.
"""
