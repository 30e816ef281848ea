"""What runs in the browser and reports what happens there. From the rest of the package, it uses only the colours."""
