"""From the browser to the bucket: files that never pass through Django. An optional Django app.

Add ``"smart_storages.uploads"`` to ``INSTALLED_APPS``, its middleware, its URLs, and run
``migrate``. Requests of a browser come in through :mod:`.views`, submitted forms through
:mod:`.forms` and :mod:`.fields`; signed URLs, rows of the ledger and files that a model adopts go
out. It may not know the queue, nor which storage a field has: it uses the Storage API.

The modules ``admin``, ``adopting``, ``fields``, ``forms``, ``middleware``, ``rest_framework``,
``targets``, ``views``, ``urls`` and ``async_urls`` are public.
"""
