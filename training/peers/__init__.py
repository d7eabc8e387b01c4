"""Other methods on the same data: what each scores, how long it trains and how long a document takes it."""
