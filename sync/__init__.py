"""Đồng Bộ: message-driven synchronization with streaming change capture (see ARCHITECTURE.md)."""
