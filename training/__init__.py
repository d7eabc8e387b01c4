"""Makes models: the Typer program ``train``. The only room where torch lives."""
