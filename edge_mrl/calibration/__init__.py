"""Measuring a device and writing down what was found: load.py (is it at rest), device.py and
models.py (the measurements), sheet.py (the profile), run.py (all of it in order)."""

from edge_mrl.calibration.run import Calibration, calibrate

__all__ = ["Calibration", "calibrate"]
