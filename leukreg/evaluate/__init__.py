"""From predictions to figures: calibration, conformal sets, decisions, metrics, intervals."""
