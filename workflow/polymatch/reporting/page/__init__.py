"""The page ``results/report.html``: everything measured, in one file that needs no network.

:mod:`.contents` gathers what the page shows into one JSON value, in Python and tested there;
:mod:`.document` puts it into the template with the styles, the scripts and the chart library that
lie in ``assets``. The scripts compute nothing that a person could cite.
"""
