"""The report: one HTML page from archives, score tables and figure files. Nothing here knows a model.

:mod:`rnnxai.report.page` puts the sections together; each is one module that reads files
and one template.
"""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "Matrix": "rnnxai.report.matrix:Matrix",
        "read_matrix": "rnnxai.report.matrix:read_matrix",
        "write_page": "rnnxai.report.page:write_page",
    },
)
