"""What runs in the browser, and reports what happens there. It knows no kernel and no core: of ours, only the colours."""
