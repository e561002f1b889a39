"""The venue's JSON as values, from answers and from streams alike.

What must be there is checked, what may be absent never aborts. A reader takes parsed JSON of any
shape and returns a value, or raises BadDataError that names the field. Numbers become Decimal from
the venue's own text.
"""
