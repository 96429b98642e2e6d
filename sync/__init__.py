"""Đồng Bộ: message-driven synchronization with streaming change capture (see ARCHITECTURE.md)."""

import os

# Polars makes its thread pool when it is imported. Work is spread over processes here, one a core: on micro-batches
# more threads only cost CPU for handing work around.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
