from tests.operator.control.conftest import house, running

__all__ = ["house", "running"]
