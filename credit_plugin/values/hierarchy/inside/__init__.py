"""Ways to divide a group's value among its members, one module each.

A way is a function (question, **options) -> :class:`~credit_plugin.values.hierarchy.ways.Divider`
that is decorated with :func:`~credit_plugin.values.hierarchy.ways.register_way`.
"""
