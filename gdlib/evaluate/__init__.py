"""Numbers to judge a trained model by: units named, spread shown."""

from gdlib.evaluate.classifiers import accuracies, accuracy, calibration, confusion, logits, temperature
from gdlib.evaluate.intervals import bootstrap, mean_interval, proportion, spread
from gdlib.evaluate.likelihood import active_units, bits_per_dimension, importance_weighted_bound, split_rate
from gdlib.evaluate.samples import frechet_distance, mode_coverage, precision_recall

__all__ = [
    "accuracies",
    "accuracy",
    "active_units",
    "bits_per_dimension",
    "bootstrap",
    "calibration",
    "confusion",
    "frechet_distance",
    "importance_weighted_bound",
    "logits",
    "mean_interval",
    "mode_coverage",
    "precision_recall",
    "proportion",
    "split_rate",
    "spread",
    "temperature",
]
