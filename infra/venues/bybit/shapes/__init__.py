"""The venue's JSON as values, from REST answers and streams alike.

Required fields are checked, missing optional ones never fail. A reader takes parsed JSON of any
shape and returns a value, or raises a BadDataError that names the field. Numbers become Decimal
from the venue's own text.
"""
