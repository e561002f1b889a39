"""Families of samples in the form of Prometheus' client library."""

from collections.abc import Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

Values = Iterable[tuple[tuple[str, ...], float]]
"""Label values and the sample."""


def one(name: str, text: str, value: float) -> Metric:
    """Return a gauge with one sample."""
    return GaugeMetricFamily(name, text, value=float(value))


def gauge(name: str, text: str, values: Values, *labels: str) -> Metric:
    """Return a gauge with a sample for each labels' values."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family


def counter(name: str, text: str, values: Values, *labels: str) -> Metric:
    """Return a counter, likewise."""
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family
