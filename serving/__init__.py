"""Uses models: the BentoML service and the ``stance`` program. No torch in here."""
