"""Raspberry Pi boards without a board: Debian for ARM under qemu, with the wheels that a Pi would
install. `scripts/emulate-pi` runs it; ARCHITECTURE.md says what stands where."""
