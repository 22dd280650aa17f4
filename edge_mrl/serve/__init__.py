"""An HTTP endpoint for apps in other languages: OpenAI's /v1/embeddings, and /search over an index.

A request goes through the gate (who may ask, how many at once), the app (which question it is) and
a queue to a worker, a thread with an encoder and an index of its own. The web packages are the
extra `serve`; only `app`, `connections` and `running` import them."""
